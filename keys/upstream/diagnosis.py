"""Library errors turned into ours.

They are built after the `except` block and from nothing but facts, so that no library error
hangs on them as context: those hold addresses, and an address may hold a token.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from http.client import HTTPException, IncompleteRead
from socket import gaierror
from typing import TypeVar

from urllib3 import exceptions as urllib3_errors

from .deadlines import Patience
from .errors import Kind, UnexpectedReply, UpstreamError, UpstreamUnavailable

T = TypeVar("T")

_LIBRARY_ERRORS = (urllib3_errors.HTTPError, HTTPException, OSError, ValueError)


def attempt(work: Callable[[], T], method: str, patience: Patience) -> T:
    """Run a piece of an exchange; what libraries raise becomes one of our errors."""
    try:
        return work()
    except _LIBRARY_ERRORS as problem:
        failure = _diagnosis(_root(problem), method, patience)
    raise failure


def _root(problem: BaseException) -> BaseException:
    """The failure itself, out of the wrappings of urllib3."""
    while isinstance(problem, urllib3_errors.HTTPError) and problem.args:
        if not isinstance(problem.args[-1], Exception):
            break
        problem = problem.args[-1]
    return problem


def _diagnosis(problem: BaseException, method: str, patience: Patience) -> UpstreamError:
    """Name the failure. Before the request went out nothing can have been carried out."""
    maybe = None if method == "GET" else patience.sent
    kind: Kind
    if isinstance(problem, TimeoutError | urllib3_errors.TimeoutError):
        kind = "timeout"
    elif isinstance(problem, ConnectionResetError | BrokenPipeError | IncompleteRead):
        kind = "reset"
    elif not isinstance(problem, OSError):
        return UnexpectedReply("content-type", maybe_carried_out=maybe)  # it is not even HTTP
    elif patience.sent:
        kind = "reset"
    elif isinstance(problem, gaierror):
        kind = "dns"
    else:
        kind = "tls" if isinstance(problem, ssl.SSLError) else "refused"
    return UpstreamUnavailable(kind, maybe_carried_out=maybe)
