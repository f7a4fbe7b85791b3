"""Keeps tokens out of logs, tracebacks and pages.

Everything here takes linear time, because it meets text that strangers choose: a regular
expression that starts over at each `EST` takes 45 seconds for 256 KB of `EST` repeated.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import NoReturn
from urllib.parse import quote, unquote

from .types import hash_of

MASK = "EST…"
_BEGIN, _END = "EST", "ARY"
_NAME_OF_ESTUARY = "ESTUARY"
# Wider than what Estuary issues, to catch percent-encoded and mistyped tokens as well.
_skip_token_characters = re.compile(r"[0-9A-Za-z%._~-]*").match
# Lower case between the capitals, as Estuary writes its tokens: a label in capitals is a label.
# Linear, because no match can begin within the first alternative and the second is bounded.
_WHOLE_TOKEN = re.compile(r"EST([0-9a-z_-]{8,}+|[0-9A-F-]{36})ARY")

_NO_TOKEN_CHARACTER = re.compile(r"[^\x20-\x7e]+")


def redact(text: str) -> str:
    """The text with every Estuary token replaced by `EST…`."""
    if _BEGIN not in text:
        return text
    pieces, position = [], 0
    for start, end in _tokens(text):
        pieces += [text[position:start], MASK]
        position = end
    return "".join(pieces) + text[position:]


def holds_token(text: str) -> bool:
    """Whether the text holds an Estuary token."""
    return next(_tokens(text), None) is not None


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each token: from `EST` to the last `ARY` in the same run of characters.

    The last one, so that an `ARY` inside of a token does not leave the rest of it in the text.
    """
    position = 0
    while (start := text.find(_BEGIN, position)) >= 0:
        inside = start + len(_BEGIN)
        if text.startswith(_NAME_OF_ESTUARY, start):
            position = inside
            continue
        match = _skip_token_characters(text, inside)
        position = match.end() if match else inside
        last = text.rfind(_END, inside + 1, position)  # at least one character between
        if last >= 0:
            yield start, last + len(_END)


def pasted_token(text: str) -> str:
    """The first whole token in a text, or "" when there is none."""
    found = _WHOLE_TOKEN.search(text)
    return found.group() if found else ""


def redact_label(text: str) -> str:
    """The text as `redact` leaves it; a token that is broken up by characters that no token has,
    such as invisible ones, is masked as well.
    """
    if text.isascii() and text.isprintable():
        return redact(text)
    return redact(_NO_TOKEN_CHARACTER.sub("", text) if hides_token(text) else text)


def hides_token(text: str) -> bool:
    """Whether a token appears once the characters outside of printable ASCII are taken out."""
    if text.isascii() and text.isprintable():
        return False
    return bool(pasted_token(_NO_TOKEN_CHARACTER.sub("", text)))


def whole_tokens(text: str) -> list[str]:
    """The whole tokens in a text, each once, in their order."""
    return list(dict.fromkeys(found.group() for found in _WHOLE_TOKEN.finditer(text)))


def with_hashes(address: str) -> str:
    """An address, each token in it replaced by its hash, which is not secret."""
    plain = unquote(address)
    if not pasted_token(plain):
        return address
    return quote(_WHOLE_TOKEN.sub(lambda token: hash_of(token.group()), plain), safe="/:?&=+#[]@")


class Secret:
    """A string that only `reveal` shows: not repr, vars, copy or pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not for storing.")

    def reveal(self) -> str:
        """The string itself, for the one place that sends it."""
        return self._value


class TokenFilter(logging.Filter):
    """Redacts a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the redacted message in place of the message; keep every record."""
        record.msg, record.args = redact(record.getMessage()), ()
        # A traceback of urllib3 adds nothing to our own error, and may quote what was received.
        record.exc_info = record.exc_text = None
        return True


def install() -> None:
    """Redact urllib3's own log lines: they hold the path, and a DELETE path may hold a token.

    On the loggers, not on a handler, so that it holds however logging is configured later.
    """
    token_filter = TokenFilter()
    for name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
        logging.getLogger(f"urllib3.{name}").addFilter(token_filter)
