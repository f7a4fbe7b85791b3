"""Which error a reply other than 200 is.

The machine word counts first and the status second: until June 2022 Estuary had 401 and 403 the
other way round, and `error` was the word itself (BEHAVIOUR, sections 1 and 9). A reply that is
not JSON is no statement of Estuary, but of something in between.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
    word, details = _statement(reply)
    surely_not = False if is_change else None
    if error := _of_word(word, details, surely_not):
        return error
    if reply.status == 429:
        return RateLimited(_seconds(reply.retry_after), maybe_carried_out=surely_not)
    maybe = True if is_change else None
    if reply.status >= 500:
        failed = TooManyContents if any(text in details for text in _TOO_MANY) else UpstreamFailed
        return failed(reply.status, maybe_carried_out=maybe)
    if 300 <= reply.status < 400:
        return UnexpectedReply("redirect", maybe_carried_out=maybe)
    if word and reply.status >= 400:
        return UnexpectedReply("status", maybe_carried_out=surely_not)
    return UnexpectedReply("status" if reply.is_json else "content-type", maybe_carried_out=maybe)


def _of_word(word: str, details: str, surely_not: bool | None) -> UpstreamError | None:  # noqa: FBT001
    """The error that Estuary's word for it names."""
    if word in _UNKNOWN_TOKEN:
        return TokenRejected(maybe_carried_out=surely_not)
    if word == "ERR_TOKEN_EXPIRED":
        return TokenExpired(maybe_carried_out=surely_not)
    if word == "ERR_NOT_AUTHORIZED":
        is_upload = "upload only" in details
        return (UploadOnlyToken if is_upload else NotPermitted)(maybe_carried_out=surely_not)
    return None


def _statement(reply: Reply) -> tuple[str, str]:
    """Estuary's word and details, both "" when the reply is none of its errors."""
    data = loads(reply.body) if reply.is_json else None
    error = data.get("error") if isinstance(data, dict) else None
    if isinstance(error, dict):
        word, details = error.get("reason"), error.get("details")
    elif isinstance(data, dict):
        # Before June 2022 an unforeseen error stood in `error` as its bare text.
        word, details = error, data.get("details", error)
    else:
        return "", ""
    return word if isinstance(word, str) else "", details if isinstance(details, str) else ""


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
