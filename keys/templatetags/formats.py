"""Moments and sizes as people read them.

Moments are relative in words, exact with the zone in the title; sizes are exact for any number.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import Literal

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

register = template.Library()

#: Units of bytes.
DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
#: Unit, its seconds, and from how many seconds on it is used; console.js has the same table.
UNITS = [
    ("year", 31_557_600, 63_115_200),
    ("month", 2_629_800, 5_184_000),
    ("day", 86_400, 172_800),
    ("hour", 3_600, 3_600),
    ("minute", 60, 60),
]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS_AND_SECOND = [*UNITS, ("second", 1, 2)]
#: A moment of the past that lies further ahead than this shows that a clock was set back.
AHEAD_TOLERANCE = timedelta(minutes=1)

#: What console.js needs to know of a moment: "" may lie ahead or behind, "past" cannot lie
#: ahead, "seconds" cannot either and is told to the second.
Kind = Literal["", "past", "seconds"]


@register.simple_tag
def moment(value: datetime, clock_ahead: timedelta | str | None = None) -> SafeString:
    """A `<time>` with the distance in words, and the exact moment in its title.

    `clock_ahead` is how far the clock that counts, the node's, is ahead of ours.
    """
    ahead = clock_ahead if isinstance(clock_ahead, timedelta) else timedelta()
    return moment_from(timezone.now(), timezone.get_current_timezone(), value, clock_ahead=ahead)


@register.simple_tag
def past_moment(value: datetime, *, to_the_second: bool = False) -> SafeString:
    """The same for what has happened: its age is never negative."""
    kind: Kind = "seconds" if to_the_second else "past"
    return moment_from(timezone.now(), timezone.get_current_timezone(), value, kind)


def moment_from(
    now: datetime,
    zone: tzinfo,
    value: datetime,
    kind: Kind = "",
    clock_ahead: timedelta = timedelta(),
) -> SafeString:
    """The same for many moments of one page, which share the clock and the zone."""
    attributes = f'datetime="{value.isoformat(timespec="seconds")}" title="{_exact(value, zone)}"'
    if kind and value - now > AHEAD_TOLERANCE:
        # Our clock was set back: neither "in 3 hours" nor "just now" would be true.
        return SafeString(f"<time {attributes}>{_exact(value, zone)}</time>")
    if clock_ahead:
        attributes += f' data-ahead="{clock_ahead // timedelta(seconds=1)}"'
    reached = max(now, value) if kind else now + clock_ahead
    words = relative(value, reached, to_the_second=kind == "seconds")
    # Nothing in it is text that somebody wrote.
    return SafeString(f'<time {attributes} data-relative="{kind}">{words}</time>')


def end_from(
    now: datetime, zone: tzinfo, value: datetime, clock_ahead: timedelta = timedelta()
) -> SafeString:
    """The same with the date before it: `9 Dec 2026` and `in 9 days`."""
    distance = moment_from(now, zone, value, clock_ahead=clock_ahead)
    return SafeString(f"<span>{_date(value.astimezone(zone))}</span> {distance}")


@register.simple_tag
def key_end(value: datetime, clock_ahead: timedelta | str | None = None) -> SafeString:
    """The end of one key, with its date, as `end_from` gives it for many."""
    ahead = clock_ahead if isinstance(clock_ahead, timedelta) else timedelta()
    return end_from(timezone.now(), timezone.get_current_timezone(), value, ahead)


@register.filter
def exact_moment(value: datetime) -> str:
    """`24 Dec 2026, 18:13 CET`, in the member's zone."""
    return _exact(value, timezone.get_current_timezone())


def _exact(value: datetime, zone: tzinfo) -> str:
    local = value.astimezone(zone)
    return f"{_date(local)}, {local.hour:02}:{local.minute:02} {local.tzname()}"


def _date(local: datetime) -> str:
    return f"{short_date(local)} {local.year}"


@register.filter
def short_date(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


def relative(value: datetime, now: datetime, *, to_the_second: bool = False) -> str:
    """`in 30 days`, `2 hours ago`, `just now`."""
    seconds = (value - now).total_seconds()
    for unit, size, used_from in UNITS_AND_SECOND if to_the_second else UNITS:
        if abs(seconds) >= used_from:
            # JavaScript's Math.round, which rounds halves up.
            count = int(abs(seconds) / size + 0.5)
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "in less than a minute" if seconds > 0 else "just now"


@register.filter
def binary_size(size: int) -> str:
    return _size(size, 1024, BINARY)


@register.filter
def decimal_size(size: int) -> str:
    return _size(size, 1000, DECIMAL)


@register.filter
def distance(number: int) -> int:
    """A change without its sign, for a sentence that says the direction."""
    return abs(number)


@register.filter
def grouped(number: int) -> str:
    return f"{number:,}"


def _size(size: int, step: int, units: list[str]) -> str:
    power = 0
    while power < len(units) - 1 and size >= step ** (power + 1):
        power += 1
    # Integer arithmetic: a float would falsify sizes beyond 2**53.
    tenths = size * 10 // step**power
    return f"{size} B" if power == 0 else f"{tenths // 10:,}.{tenths % 10} {units[power]}"
