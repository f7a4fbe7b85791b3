"""Moments as people read them: relative in words, exact with the zone in the title."""

from __future__ import annotations

from datetime import datetime, tzinfo

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

register = template.Library()

#: Unit, its seconds, and from how many seconds on it is used; console.js keeps the same table.
UNITS = [
    ("year", 31_557_600, 63_115_200),
    ("month", 2_629_800, 5_184_000),
    ("day", 86_400, 172_800),
    ("hour", 3_600, 3_600),
    ("minute", 60, 60),
]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS_AND_SECOND = [*UNITS, ("second", 1, 2)]


@register.simple_tag
def moment(value: datetime, *, to_the_second: bool = False) -> SafeString:
    """A `<time>` that says how far away it is, and exactly when on asking."""
    return moment_from(timezone.now(), timezone.get_current_timezone(), value, to_the_second)


def moment_from(
    now: datetime,
    zone: tzinfo,
    value: datetime,
    to_the_second: bool = False,  # noqa: FBT001, FBT002
) -> SafeString:
    """The same for many moments of one page, which have the clock and the zone in common."""
    words = relative(value, now, to_the_second=to_the_second)
    return SafeString(  # nothing in it is anybody's text
        f'<time datetime="{value.isoformat(timespec="seconds")}" title="{_exact(value, zone)}" '
        f'data-relative="{"seconds" if to_the_second else ""}">{words}</time>'
    )


@register.filter
def exact_moment(value: datetime) -> str:
    """`24 Dec 2026, 18:13 CET`, in the member's zone."""
    return _exact(value, timezone.get_current_timezone())


def _exact(value: datetime, zone: tzinfo) -> str:
    local = value.astimezone(zone)
    month = MONTHS[local.month - 1]
    return f"{local.day} {month} {local.year}, {local.hour:02}:{local.minute:02} {local.tzname()}"


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
