"""The rate limiter: a bucket for each client address (echo's memory store, from v0.3.5)."""

from __future__ import annotations

from collections.abc import Callable

_FORGET_ABOVE = 10_000  # addresses remembered; X-Forwarded-For can invent any number


class Limiter:
    """`rate` requests a second with a burst as large, counted per address; None lets all pass."""

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, address: str) -> bool:
        """Take one from the address's bucket, if there is one left."""
        if self.rate is None:
            return True
        now = self._clock()
        left, since = self._buckets.get(address, (self.rate, now))
        left = min(self.rate, left + (now - since) * self.rate)
        if len(self._buckets) > _FORGET_ABOVE:
            self._buckets.clear()
        self._buckets[address] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def client_address(headers: dict[str, str], peer: str) -> str:
    """Whom the limiter counts: the first X-Forwarded-For entry, else X-Real-IP, else the peer."""
    forwarded = headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return forwarded or headers.get("x-real-ip", "") or peer
