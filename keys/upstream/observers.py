"""Tells observers about each call to Estuary, and remembers what was last seen of the node.

Observers learn the endpoint, the outcome and the time. They never learn the path, because it may
hold a token.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from .errors import UpstreamError, UpstreamUnavailable
from .types import NodeClock


class Endpoint(StrEnum):
    """The kind of a request to Estuary."""

    LIST = "list"
    CREATE = "create"
    REVOKE = "revoke"
    STATS = "stats"
    EXPORT = "export"


class Observer(Protocol):
    """Called after each call. `outcome` is "ok" or names the error.

    An export ends, for observers, with its first byte.
    """

    def __call__(self, endpoint: Endpoint, outcome: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The node as this process last saw it.

    `at` is our own time. `outcome` is what observers are told. The node is not reachable when no
    complete answer came. `clock` is the node's clock as last read, maybe in an earlier call.
    """

    at: datetime
    outcome: str
    is_reachable: bool
    clock: NodeClock | None


@dataclass(slots=True)
class Exchange:
    """One call while it runs; the caller fills in what the reply says."""

    clock: NodeClock | None = None


_observers: list[Observer] = []
_last_seen: LastSeen | None = None


def connect(observer: Observer) -> None:
    """Call this observer after each call from now on; connecting twice makes no difference."""
    if observer not in _observers:
        _observers.append(observer)


def last_seen() -> LastSeen | None:
    """The node as this process last saw it; None before the first call."""
    return _last_seen


@contextmanager
def observed(endpoint: Endpoint) -> Iterator[Exchange]:
    """Observe one exchange with Estuary, from before it is sent until its reply is understood."""
    started = time.monotonic()
    outcome, is_reachable = "internal", None  # a fault of ours, which says nothing of the node
    exchange = Exchange()
    try:
        yield exchange
        outcome, is_reachable = "ok", True
    except UpstreamError as error:
        # The kind tells operators at which step the connection failed.
        is_reachable = not isinstance(error, UpstreamUnavailable)
        outcome = error.kind if isinstance(error, UpstreamUnavailable) else error.code
        raise
    finally:
        if is_reachable is not None:
            _remember(outcome, is_reachable=is_reachable, clock=exchange.clock)
        for observer in _observers:
            observer(endpoint, outcome, time.monotonic() - started)


def _remember(outcome: str, *, is_reachable: bool, clock: NodeClock | None) -> None:
    global _last_seen
    earlier = _last_seen.clock if _last_seen else None
    _last_seen = LastSeen(datetime.now(UTC), outcome, is_reachable, clock or earlier)
