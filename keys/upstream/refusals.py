"""Which error a reply other than 200 is.

The machine word counts first and the status second: until June 2022 (before v0.1.1) Estuary had
401 and 403 the other way round, and `error` was the word itself, not an object. A reply that is
not JSON is no statement of Estuary, but of something in between.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from .errors import (
    NotPermitted,
    RateLimited,
    TokenExpired,
    TokenRejected,
    TooManyContents,
    UnexpectedReply,
    UploadOnlyToken,
    UpstreamError,
    UpstreamFailed,
)
from .http import Reply
from .replies import loads

_UNKNOWN_TOKEN = {
    "ERR_AUTH_MISSING",
    "ERR_AUTH_MISSING_BEARER",
    "ERR_INVALID_AUTH",
    "ERR_INVALID_TOKEN",
}
# What PostgreSQL's driver says, and sqlite; seen on nodes of 2022-05 to 2023-05.
_TOO_MANY = ("limited to 65535 parameters", "too many SQL variables")


def refusal(reply: Reply, *, is_change: bool) -> UpstreamError:
    """The error for a reply that is not 200; `is_change` for a POST or DELETE."""
    surely_not = False if is_change else None
    maybe = True if is_change else None
    said = _statement(reply)
    if kind := _kind_of_word(said, reply.status):
        return kind(maybe_carried_out=surely_not)
    if reply.status == 429:
        return RateLimited(_seconds(reply.retry_after), maybe_carried_out=surely_not)
    if reply.status >= 500:
        too_many = any(text in said.details for text in _TOO_MANY)
        failed = TooManyContents if too_many else UpstreamFailed
        return failed(reply.status, maybe_carried_out=maybe)
    if 300 <= reply.status < 400:
        return UnexpectedReply("redirect", maybe_carried_out=maybe)
    if said.word and reply.status >= 400:
        return UnexpectedReply("status", maybe_carried_out=surely_not)
    return UnexpectedReply("status" if reply.is_json else "content-type", maybe_carried_out=maybe)


class _Statement(NamedTuple):
    """What Estuary said about an error: both "" when the reply is none of its errors."""

    word: str = ""
    details: str = ""
    is_vintage: bool = False


def _statement(reply: Reply) -> _Statement:
    """Read an error of either format."""
    data = loads(reply.body) if reply.is_json else None
    if not isinstance(data, dict):
        return _Statement()
    error = data.get("error")
    if isinstance(error, dict):
        return _Statement(_text(error.get("reason")), _text(error.get("details")))
    # Until June 2022 an unforeseen error stood in `error` as its bare text.
    return _Statement(_text(error), _text(data.get("details", error)), is_vintage=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _kind_of_word(said: _Statement, status: int) -> type[UpstreamError] | None:
    """The error that the word names; of a word that we do not know, what its status means."""
    if said.word in _UNKNOWN_TOKEN:
        return TokenRejected
    if said.word == "ERR_TOKEN_EXPIRED":
        return TokenExpired
    if said.word == "ERR_NOT_AUTHORIZED":
        return UploadOnlyToken if "upload only" in said.details else NotPermitted
    if status not in (401, 403) or not said.word:
        return None
    if said.is_vintage and not said.word.startswith("ERR_"):
        return None  # `{"error": "forbidden"}` is what any proxy may say
    return TokenRejected if (status == 401) != said.is_vintage else NotPermitted


def _seconds(retry_after: str) -> int | None:
    """`Retry-After` in seconds, from a number or a date; None when it says nothing of use."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return int(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0, round((moment - datetime.now(UTC)).total_seconds()))
    except (ValueError, OverflowError):
        return None
