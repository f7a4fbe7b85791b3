"""When to ask, how often, and for how long: the calls of one client share one time budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar, cast

from .deadlines import Patience
from .diagnosis import attempt
from .errors import (
    Problem,
    RateLimited,
    UnexpectedReply,
    UpstreamError,
    UpstreamFailed,
    UpstreamUnavailable,
)
from .export import Export, begin
from .http import Node, Reply
from .observing import Endpoint, Exchange, observed
from .redaction import Secret
from .refusals import refusal
from .types import NodeClock

T = TypeVar("T")
Read = Callable[[Reply], T | Problem]  # a good reply's meaning, or what is wrong with it

_PAUSES = (0.1, 0.4)  # seconds before the first and second retry of a GET


class Calls:
    """Calls to one node, which together take at most `timeout` seconds from the first on."""

    def __init__(self, node: Node, timeout: float) -> None:
        self._node = node
        self._timeout = timeout
        self._end: float | None = None

    def get(self, endpoint: Endpoint, path: str, most: int, read: Read[T]) -> T:
        """GET, at most twice more after a broken connection, 429 with a time, 502, 503, 504."""
        for pause in (*_PAUSES, None):
            try:
                with observed(endpoint) as exchange:
                    return self._get_once(path, most, read, exchange)
            except (UpstreamUnavailable, UpstreamFailed, RateLimited) as error:
                failure = error
            wait = _wait_before_retry(failure, pause)
            if wait is None or time.monotonic() + wait >= self._ends():
                break
            time.sleep(wait)
        raise failure

    def _get_once(self, path: str, most: int, read: Read[T], exchange: Exchange) -> T:
        reply = self._node.fetch("GET", Secret(path), Patience(self._ends()), most)
        exchange.clock = reply.clock
        if reply.status != 200:
            raise refusal(reply, is_change=False)
        return _understood(reply, read, is_change=False)

    def change(
        self, endpoint: Endpoint, method: str, target: Secret, most: int, read: Read[T]
    ) -> T:
        """POST or DELETE, once."""
        with observed(endpoint) as exchange:
            reply = self._node.fetch(method, target, Patience(self._change_ends()), most)
            exchange.clock = reply.clock
            if reply.status != 200:
                raise refusal(reply, is_change=True)
            return _understood(reply, read, is_change=True)

    def may_change(self) -> bool:
        """Whether time is left for a change, and for a list after it."""
        return self._change_ends() > time.monotonic()

    def open_export(self, path: str, first_byte: float, idle: float) -> Export:
        """GET a long stream, once, with a patience of its own (seconds)."""
        now = time.monotonic()
        patience = Patience(now + first_byte, connect_until=now + self._timeout)
        with observed(Endpoint.EXPORT) as exchange:
            begun = attempt(
                lambda: begin(self._node.send("GET", Secret(path), patience), patience, idle),
                "GET",
                patience,
            )
            if isinstance(begun, Export):
                exchange.clock = begun.clock
                return begun
            if isinstance(begun, str):
                raise UnexpectedReply(begun)
            exchange.clock = begun.clock
            raise refusal(begun, is_change=False)

    def _ends(self) -> float:
        """The moment by which all calls must have ended; the first call sets it."""
        if self._end is None:
            self._end = time.monotonic() + self._timeout
        return self._end

    def _change_ends(self) -> float:
        """The moment by which a change begun now must have ended."""
        return min(self._ends() - self._timeout / 4, time.monotonic() + self._timeout * 0.6)


def json_of(read: Callable[[bytes, NodeClock | None], T | Problem]) -> Read[T]:
    """Read a body, which must say that it is JSON."""
    return lambda reply: read(reply.body, reply.clock) if reply.is_json else "content-type"


def nothing_else(reply: Reply) -> Literal[True] | Problem:
    """Read what a DELETE is answered with: nothing, or JSON that is of no interest."""
    return "content-type" if reply.body and not reply.is_json else True


def _understood(reply: Reply, read: Read[T], *, is_change: bool) -> T:
    meaning = read(reply)
    if isinstance(meaning, str):
        raise UnexpectedReply(cast(Problem, meaning), maybe_carried_out=is_change or None)
    return meaning


def _wait_before_retry(error: UpstreamError, pause: float | None) -> float | None:
    """Seconds to wait before asking again; None when that is of no use."""
    if pause is None:
        return None
    if isinstance(error, RateLimited):
        return error.retry_after
    if isinstance(error, UpstreamFailed):
        return pause if error.status in (502, 503, 504) else None
    is_worth_it = isinstance(error, UpstreamUnavailable) and error.kind not in ("timeout", "tls")
    return pause if is_worth_it else None
