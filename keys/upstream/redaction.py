"""Keeping tokens out of logs, tracebacks and whatever else prints a value."""

from __future__ import annotations

import logging
import re
from typing import NoReturn

MASK = "EST…"
# Greedy, so that an "ARY" inside of a token does not leave its end standing; ESTUARY is none.
_TOKEN = re.compile(r"EST(?!UARY)[0-9A-Za-z%._~-]+ARY")


def redact(text: str) -> str:
    """The text with every Estuary token replaced by `EST…`."""
    return _TOKEN.sub(MASK, text)


def holds_token(text: str) -> bool:
    """Whether an Estuary token stands in the text."""
    return _TOKEN.search(text) is not None


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
