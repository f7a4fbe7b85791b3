"""The rate limiter: a bucket for each client address (echo's memory store, from v0.3.5)."""

from __future__ import annotations

from collections.abc import Callable

_MAX_ADDRESSES = 10_000  # X-Forwarded-For can invent any number


class RateLimiter:
    """`rate` requests a second with a burst as large, counted per address; None lets all pass."""

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, address: str) -> bool:
        """Take one from the bucket of the address, if one is left."""
        if self.rate is None:
            return True
        now = self._clock()
        left, since = self._buckets.get(address, (self.rate, now))
        left = min(self.rate, left + (now - since) * self.rate)
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.clear()
        self._buckets[address] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def client_address(headers: dict[str, str], peer: str) -> str:
    """The address that the limiter counts: X-Forwarded-For, else X-Real-IP, else the peer."""
    forwarded = headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return forwarded or headers.get("x-real-ip", "") or peer
