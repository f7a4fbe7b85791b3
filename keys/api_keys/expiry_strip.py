"""The strip over the key table: the next 13 weeks, with a mark for each key that ends in them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter

from django.utils import timezone

from keys.api_keys.query import KeyQuery, Status
from keys.upstream import ApiKey

WEEK = timedelta(days=7)
STRIP_WEEKS = 13
STRIP_DAYS = STRIP_WEEKS * WEEK.days
#: More keys than this on one day are drawn as a full column; the text says how many they are.
MARKS_PER_DAY = 5

_expiry_of = attrgetter("expiry")


@dataclass(frozen=True, slots=True)
class StripWeek:
    """One week of the strip: its first day, the number of keys that end, and its link."""

    start: date
    count: int
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ExpiryStrip:
    """`marks` is the `d` of an SVG path in a box of STRIP_DAYS by MARKS_PER_DAY units."""

    weeks: list[StripWeek]
    marks: str


def strip_of(members: Sequence[ApiKey], query: KeyQuery, node_now: datetime) -> ExpiryStrip:
    """The strip of all keys without sessions, by end: a search leaves it as it is."""
    today = timezone.localdate(node_now)
    midnights = _midnights_after(today, timezone.get_current_timezone())
    ended = bisect_right(members, node_now, key=_expiry_of)
    ends = [bisect_left(members, moment, key=_expiry_of) for moment in midnights]
    return _drawn(tuple(end - start for start, end in pairwise([ended, *ends])), today, query)


@lru_cache(maxsize=64)
def _midnights_after(today: date, zone: tzinfo) -> tuple[datetime, ...]:
    """The ends of the days of the strip. In UTC: comparing times of a zone with it is slow."""
    days = (today + timedelta(days=number) for number in range(1, STRIP_DAYS + 1))
    return tuple(
        timezone.make_aware(datetime.combine(day, time.min), zone).astimezone(UTC) for day in days
    )


@lru_cache(maxsize=512)
def _drawn(counts: tuple[int, ...], today: date, query: KeyQuery) -> ExpiryStrip:
    """The strip for the number of keys that end on each day."""
    if not any(counts):
        return ExpiryStrip([], "")
    weeks = [_week(number, today, counts, query) for number in range(STRIP_WEEKS)]
    return ExpiryStrip(weeks, _marks(counts))


def ending_in_week(by_end: Sequence[ApiKey], week: str, node_now: datetime) -> list[ApiKey]:
    """The keys that will end in the seven days from this one, in the member's zone."""
    first = date.fromisoformat(week)
    start = max(
        bisect_right(by_end, node_now, key=_expiry_of),
        bisect_left(by_end, _midnight(first), key=_expiry_of),
    )
    return list(by_end[start : bisect_left(by_end, _midnight(first + WEEK), key=_expiry_of)])


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _week(number: int, today: date, counts: Sequence[int], query: KeyQuery) -> StripWeek:
    start = today + number * WEEK
    is_current = query.week == start.isoformat()
    week = "" if is_current else start.isoformat()  # the current one leads back
    days = counts[number * WEEK.days : (number + 1) * WEEK.days]
    return StripWeek(start, sum(days), query.url(week=week, status=Status.ALL), is_current)


def _marks(counts: Sequence[int]) -> str:
    """A line for each day, as high as its keys are many; its dashes are the marks."""
    lines = []
    for day, count in enumerate(counts):
        if count:
            lines.append(f"M{day}.5 {MARKS_PER_DAY}v-{min(count, MARKS_PER_DAY)}")
        if count > MARKS_PER_DAY:  # a second line fills the gaps
            lines.append(f"M{day}.5 4.8v-4.8")
    return "".join(lines)
