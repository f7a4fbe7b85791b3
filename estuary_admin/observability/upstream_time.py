"""Time that a request spends waiting for Estuary, for its line in the log."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class UpstreamTime:
    calls: int = 0
    seconds: float = 0.0


_current: ContextVar[UpstreamTime] = ContextVar("estuary_admin_upstream_time")


def begin() -> UpstreamTime:
    spent = UpstreamTime()
    _current.set(spent)
    return spent


def add(seconds: float) -> None:
    """Add one call; outside a request there is nothing to add it to."""
    if spent := _current.get(None):
        spent.calls += 1
        spent.seconds += seconds
