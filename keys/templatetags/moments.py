"""Moments as people read them: relative in words, exact with the zone in the title."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

#: Seconds in a unit, largest first; console.js keeps the same table.
UNITS = [
    (365 * 86_400, "year"),
    (30 * 86_400, "month"),
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
]


@register.simple_tag
def moment(value: datetime) -> SafeString:
    """A `<time>` that says how far away it is, and exactly when on asking."""
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        value.isoformat(timespec="seconds"),
        exact_moment(value),
        relative(value, timezone.now()),
    )


@register.filter
def exact_moment(value: datetime) -> str:
    """`24 Dec 2026, 18:13 CET`, in the member's zone."""
    local = timezone.localtime(value)
    return f"{local.day} {local:%b %Y, %H:%M %Z}"


def relative(value: datetime, now: datetime) -> str:
    """`in 30 days`, `2 hours ago`, `now`; rounded down, so that nothing seems to last longer."""
    seconds = int((value - now).total_seconds())
    for size, unit in UNITS:
        count = abs(seconds) // size
        # Two units and more read better in the smaller one: 45 days, not 1 month.
        if count >= (2 if unit in {"year", "month"} else 1):
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "now"
