"""Who wants to know of the calls to Estuary: each is told by endpoint, outcome and time alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

from .errors import UpstreamError, UpstreamUnavailable


class Endpoint(StrEnum):
    """What is asked of Estuary; a path would not do, for it may hold a token."""

    LIST = "list"
    CREATE = "create"
    REVOKE = "revoke"
    STATS = "stats"
    EXPORT = "export"


class Observer(Protocol):
    """Told after each call. `outcome` is "ok" or an error's; an export's ends at its first byte."""

    def __call__(self, endpoint: Endpoint, outcome: str, seconds: float) -> None: ...


_observers: list[Observer] = []


def connect(observer: Observer) -> None:
    """Tell this one too, from now on; connecting twice makes no difference."""
    if observer not in _observers:
        _observers.append(observer)


@contextmanager
def observed(endpoint: Endpoint) -> Iterator[None]:
    """One exchange with Estuary, from before it is sent until its reply is understood."""
    started = time.monotonic()
    outcome = "internal"  # a fault of ours
    try:
        yield
        outcome = "ok"
    except UpstreamError as error:
        # Where a connection ended is what whoever looks after the network asks for.
        outcome = error.kind if isinstance(error, UpstreamUnavailable) else error.code
        raise
    finally:
        for observer in _observers:
            observer(endpoint, outcome, time.monotonic() - started)
