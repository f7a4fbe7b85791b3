"""Maps library errors, and replies other than 200, to our errors.

An error is built after the `except` block and from facts alone, so that no library error hangs on
it as context: those of requests hold the request, those of urllib3 the path, and both may hold a
token.

In a reply, Estuary's machine word counts first and the status second: until June 2022 (before
v0.1.1) 401 and 403 meant the reverse, and `error` was the word itself, not an object. A reply
that is not JSON does not come from Estuary but from something in between.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, IncompleteRead
from socket import gaierror
from typing import NamedTuple, TypeVar

from urllib3 import exceptions as urllib3_errors

from .adapter import Reply
from .deadlines import Deadline, ProxyFailed
from .errors import (
    Kind,
    NotPermitted,
    RateLimited,
    TokenExpired,
    TokenRejected,
    TooManyContents,
    UnexpectedReply,
    UploadOnlyToken,
    UpstreamError,
    UpstreamFailed,
    UpstreamUnavailable,
)
from .schemas import loads

T = TypeVar("T")

# requests' own errors are OSErrors.
_LIBRARY_ERRORS = (urllib3_errors.HTTPError, HTTPException, OSError, ValueError)
_MAX_DATE_LENGTH = 64
_UNKNOWN_TOKEN = {
    "ERR_AUTH_MISSING",
    "ERR_AUTH_MISSING_BEARER",
    "ERR_INVALID_AUTH",
    "ERR_INVALID_TOKEN",
}
# In the errors of PostgreSQL's driver and of SQLite, seen on nodes of 2022-05 to 2023-05.
_TOO_MANY = ("limited to 65535 parameters", "too many SQL variables")


def attempt(work: Callable[[], T], method: str, deadline: Deadline) -> T:
    """Run a piece of an exchange; what libraries raise becomes one of our errors."""
    try:
        return work()
    except _LIBRARY_ERRORS as problem:
        failure = _failure(_root(problem), method, deadline)
    raise failure


def _root(problem: BaseException) -> BaseException:
    """The original error, out of the wrappers of urllib3."""
    while isinstance(problem, urllib3_errors.HTTPError) and problem.args:
        if not isinstance(problem.args[-1], Exception):
            break
        problem = problem.args[-1]
    return problem


def _failure(problem: BaseException, method: str, deadline: Deadline) -> UpstreamError:
    """Our error for a library's. Before the request was sent, nothing can have been carried out."""
    maybe = None if method == "GET" else deadline.is_sent
    kind: Kind
    if isinstance(problem, TimeoutError | urllib3_errors.TimeoutError):
        kind = "timeout"
    elif isinstance(problem, ProxyFailed):
        kind = "proxy"
    elif isinstance(problem, ConnectionResetError | BrokenPipeError | IncompleteRead):
        kind = "reset"
    elif not isinstance(problem, OSError):
        return UnexpectedReply("content-type", maybe_carried_out=maybe)  # it is not even HTTP
    elif deadline.is_sent:
        kind = "reset"
    elif isinstance(problem, gaierror):
        kind = "dns"
    else:
        kind = "tls" if isinstance(problem, ssl.SSLError) else "refused"
    return UpstreamUnavailable(kind, maybe_carried_out=maybe)


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
    """Estuary's own description of an error; both are "" when the reply is none of its errors."""

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
    # Until June 2022 `error` was bare text for errors that Estuary did not foresee.
    return _Statement(_text(error), _text(data.get("details", error)), is_vintage=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _kind_of_word(said: _Statement, status: int) -> type[UpstreamError] | None:
    """The error that the word names; for a word that we do not know, what its status means."""
    if said.word in _UNKNOWN_TOKEN:
        return TokenRejected
    if said.word == "ERR_TOKEN_EXPIRED":
        return TokenExpired
    if said.word == "ERR_NOT_AUTHORIZED":
        return UploadOnlyToken if "upload only" in said.details else NotPermitted
    if status not in (401, 403) or not said.word:
        return None
    if said.is_vintage and not said.word.startswith("ERR_"):
        return None  # any proxy may say `{"error": "forbidden"}`
    return TokenRejected if (status == 401) != said.is_vintage else NotPermitted


def _seconds(retry_after: str) -> int | None:
    """`Retry-After` in seconds, from a number or a date; None when it says nothing of use."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return int(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after[:_MAX_DATE_LENGTH])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0, round((moment - datetime.now(UTC)).total_seconds()))
    except (ValueError, OverflowError):
        return None
