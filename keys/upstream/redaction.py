"""Keeping tokens out of logs, tracebacks and whatever else prints a value."""

from __future__ import annotations

import logging
import re
from typing import NoReturn
from urllib.parse import quote, unquote

from .types import hash_of

MASK = "EST…"
# Greedy, so that an "ARY" inside of a token does not leave its end standing; ESTUARY is none.
_TOKEN = re.compile(r"EST(?!UARY)[0-9A-Za-z%._~-]+ARY")

# What stands between is in lower case in every token, so that a label in capitals is a label.
_WHOLE_TOKEN = re.compile(r"EST([0-9a-z_-]{8,}|[0-9A-F-]{36})ARY")


def redact(text: str) -> str:
    """The text with every Estuary token replaced by `EST…`."""
    return _TOKEN.sub(MASK, text)


def holds_token(text: str) -> bool:
    """Whether an Estuary token stands in the text."""
    return _TOKEN.search(text) is not None


def pasted_token(text: str) -> str:
    """The first whole token in a text, or "" when there is none."""
    found = _WHOLE_TOKEN.search(text)
    return found.group() if found else ""


def with_hashes(address: str) -> str:
    """A path with its query, each token in it replaced by its hash, which is not secret."""
    plain = unquote(address)
    if not pasted_token(plain):
        return address
    return quote(_WHOLE_TOKEN.sub(lambda token: hash_of(token.group()), plain), safe="/?&=+")


class Secret:
    """A string that shows itself to nobody but who calls `reveal`: not to repr, vars or pickle."""

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
