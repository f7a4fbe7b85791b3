"""Lifetimes of keys: what people write, what Estuary accepts, what pages say.

Estuary takes Go durations, which have no days, or `false` for 36,500 days. It accepts zero and
negative ones with 200 and makes a key that has already expired (Estuary `handlers.go`, 2023-05),
so all validation is ours.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=36_500)  # what Estuary itself means by "never"
_MAX_TEXT_LENGTH = 64  # also bounds the work: people choose the text
_MAX_GO_SECONDS = (2**63 - 1) // 10**9  # Go counts nanoseconds in 64 bits
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})\s*"
    r"(weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[wdhms])\s*"
)
_is_zero = re.compile(r"[+-]?[0.]*\s*[a-z]*").fullmatch
_EXAMPLES = "for example 36h, 45d, 2w or 1h30m"


class DurationError(ValueError):
    """A text that is no lifetime; the message is the sentence to show beside the field."""


def parse_lifetime(text: str) -> timedelta:
    """Read a lifetime as people write it: `36h`, `45d`, `2w`, `1h30m`, `1.5h`, `2 weeks`.

    Units are weeks, days (24 hours), hours, minutes (`m`, as in Go) and seconds; fractions of a
    second are dropped. Raises DurationError for anything else, and for less than one minute or
    more than 36,500 days.
    """
    # A capital M is a month to some people and a minute to others, so it stays as it is.
    written = text.strip()
    if not written:
        raise DurationError(f"Write how long the key should live, {_EXAMPLES}.")
    parts: list[tuple[str, str]] = []
    if len(written) <= _MAX_TEXT_LENGTH:
        plain = re.sub(r"[A-LN-Z]", lambda letter: letter.group().lower(), written)
        if re.search(r"[0-9]", plain) and (plain.startswith("-") or _is_zero(plain)):
            raise DurationError("A key must live for at least one minute.")
        if re.fullmatch(r"[0-9.]+", plain):
            raise DurationError("Add a unit: m for minutes, h for hours, d for days, w for weeks.")
        parts = _parts(plain)
    if not parts:
        raise DurationError(
            f"This is not a length of time. Write it in weeks, days, hours or minutes, {_EXAMPLES}."
        )
    seconds = int(sum(Fraction(number) * _UNITS[unit[0]] for number, unit in parts))
    if seconds > LONGEST.total_seconds():
        raise DurationError(
            "A key can live for at most 100 years (36500d). Choose No expiry instead."
        )
    if seconds < SHORTEST.total_seconds():
        raise DurationError("A key must live for at least one minute.")
    return timedelta(seconds=seconds)


def _parts(text: str) -> list[tuple[str, str]]:
    """Number and unit of each part; none when there is anything else between them."""
    parts, end = [], 0
    while end < len(text):
        part = _PART.match(text, end)
        if part is None:
            return []
        parts.append((part[1], part[2]))
        end = part.end()
    return parts


def to_go(lifetime: timedelta | None) -> str:
    """Write a lifetime as Estuary's `expiry`: `1080h`, `1h30m`; `false` for None (never).

    Whole seconds. Raises ValueError below one second, where Estuary would make a dead key, and
    above 292 years, where it would answer 500.
    """
    if lifetime is None:
        return "false"
    total = lifetime // timedelta(seconds=1)
    if not 1 <= total <= _MAX_GO_SECONDS:
        raise ValueError("A lifetime must be from one second to 292 years.")
    return "".join(f"{count}{unit}" for count, unit in _split(total, "hms"))


def describe(lifetime: timedelta | None) -> str:
    """Say a lifetime in words: `45 days`, `1 hour 30 minutes`; `never` for None."""
    if lifetime is None:
        return "never"
    names = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
    parts = _split(lifetime // timedelta(seconds=1), "dhms")
    return (
        " ".join(f"{count} {names[unit]}{'' if count == 1 else 's'}" for count, unit in parts)
        or "0 seconds"
    )


def _split(seconds: int, units: str) -> list[tuple[int, str]]:
    """Break seconds into the given units, the largest first, without the empty ones."""
    parts = []
    for unit in units:
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append((count, unit))
    return parts
