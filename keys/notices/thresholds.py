"""Finds the keys that a member must be told about today: pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from keys.upstream import ApiKey

DAY = timedelta(days=1)
#: An end longer ago than this is no news: the key was found expired when its account came here.
RECENT_END = timedelta(days=3)
AT_END = 0
#: The node tells whole seconds: six days and half a second are six days.
CLOCK_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A key that has crossed a threshold, and all thresholds that it has crossed by now."""

    key: ApiKey
    crossed: tuple[int, ...]
    days_left: int  # whole days, rounded up; 0 when the key has ended

    @property
    def has_ended(self) -> bool:
        return self.days_left == 0


def reminders_for(
    keys: Iterable[ApiKey],
    node_now: datetime,
    days: Collection[int],
    told: Collection[tuple[str, int]],
    lifetimes: dict[str, timedelta],
    own_days: Mapping[str, Collection[int]] = MappingProxyType({}),
) -> list[Reminder]:
    """The keys to tell about, what ends first at the top.

    `told` are pairs of hash and threshold. A threshold that is not below the key's lifetime does
    not count: the member has just chosen that lifetime. `own_days` are the thresholds of keys that
    have their own.
    """
    found = []
    for key in keys:
        crossed = _crossed(
            key,
            node_now,
            own_days.get(key.token_hash, days),
            lifetimes.get(key.token_hash),
        )
        news = tuple(sorted(one for one in crossed if (key.token_hash, one) not in told))
        # Only the threshold that was crossed last is news: after a pause a key is told of once.
        if news and news[0] == min(crossed):
            found.append(Reminder(key, news, _days_left(key, node_now)))
    return sorted(found, key=lambda reminder: reminder.key.expiry)


def _crossed(
    key: ApiKey, node_now: datetime, days: Collection[int], lifetime: timedelta | None
) -> list[int]:
    left = key.expiry - node_now
    if key.is_session or left < -RECENT_END:
        return []
    before = [
        one for one in days if left <= one * DAY and (lifetime is None or one * DAY < lifetime)
    ]
    return [*before, AT_END] if left <= timedelta(0) else before


def _days_left(key: ApiKey, node_now: datetime) -> int:
    left = key.expiry - node_now
    if left <= timedelta(0):
        return 0
    return max(1, math.ceil((left - CLOCK_STEP) / DAY))
