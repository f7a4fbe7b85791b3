"""A clock that moves only when told, beside the real one."""

from __future__ import annotations

import time


class Clock:
    """Real time plus what was added; `seconds` and `nanoseconds` are the node's two clocks."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += seconds

    def seconds(self) -> float:
        """A monotonic clock."""
        return time.monotonic() + self.ahead

    def nanoseconds(self) -> int:
        """A wall clock."""
        return time.time_ns() + int(self.ahead * 1e9)


class FrozenClock(Clock):
    """Does not move by itself."""

    def seconds(self) -> float:
        """Seconds moved since the start."""
        return 1000.0 + self.ahead
