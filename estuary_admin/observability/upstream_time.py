"""What a request spends on others, added up while it is worked on, for its line in the log."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    calls: int = 0
    seconds: float = 0.0


_current: ContextVar[Tally] = ContextVar("estuary_admin_tally")


def begin() -> Tally:
    tally = Tally()
    _current.set(tally)
    return tally


def add(seconds: float) -> None:
    """Outside of a request there is nothing to add it to."""
    if tally := _current.get(None):
        tally.calls += 1
        tally.seconds += seconds
