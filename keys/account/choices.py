"""The choices of a member's preferences, as plain values for models, forms and middleware."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

THEMES = [("system", "System"), ("light", "Light"), ("dark", "Dark")]


@cache
def time_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reading the list from disk takes milliseconds


@cache
def offered_time_zones() -> tuple[str, ...]:
    """The zones named after places, and UTC, in the order of the alphabet."""
    return tuple(sorted(zone for zone in time_zones() if "/" in zone or zone == "UTC"))
