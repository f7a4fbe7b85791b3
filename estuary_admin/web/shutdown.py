"""Whether this process was told to end, and how long its requests may still take.

The server's worker announces it; long requests, such as exports, look here.
"""

from __future__ import annotations

import time

_ends_at: float | None = None


def announce(graceful_seconds: float) -> None:
    """The server was told to end: it waits this long for the requests under way."""
    global _ends_at
    _ends_at = time.monotonic() + graceful_seconds


def seconds_left() -> float | None:
    """Seconds until the process is killed; None while nobody has told it to end."""
    return None if _ends_at is None else max(0.0, _ends_at - time.monotonic())
