"""How long a key lives: what people write, what Estuary accepts, what pages say.

Estuary takes Go durations, which know no days, or `false` for 36,500 days. It accepts zero and
negative ones with 200 and makes a key that is expired at birth (Estuary `handlers.go`, 2023-05),
so all checking is ours.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=36_500)  # what Estuary itself means by "never"
_GO_LONGEST = (2**63 - 1) // 10**9  # seconds: Go counts nanoseconds in 64 bits
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})\s*"
    r"(weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[wdhms])\s*"
)
_EXAMPLES = "for example 36h, 45d, 2w or 1h30m"


class DurationError(ValueError):
    """A lifetime nobody can mean; the message is the sentence for beside the field."""


def parse_lifetime(text: str) -> timedelta:
    """Read a lifetime as people write it: `36h`, `45d`, `2w`, `1h30m`, `1.5h`, `2 weeks`.

    Units are weeks, days (24 hours), hours, minutes (`m`, as in Go) and seconds; fractions of a
    second are dropped. Raises DurationError for anything else and for less than one minute or
    more than 36,500 days.
    """
    # A capital M is a month to some and a minute to others: not for us to guess.
    written = text.strip()
    plain = re.sub(r"[A-LN-Z]", lambda letter: letter.group().lower(), written)
    if not written:
        raise DurationError(f"Write how long the key should live, {_EXAMPLES}.")
    if re.fullmatch(r"[+-]?0*\.?0*\s*[a-z]*|-.*", plain) and re.search(r"[0-9]", plain):
        raise DurationError("A key must live for at least one minute.")
    if re.fullmatch(r"[0-9.]+", plain):
        raise DurationError("Add a unit: m for minutes, h for hours, d for days, w for weeks.")
    parts = _parts(plain)
    if not parts:
        raise DurationError(
            f"This is not a length of time. Write it as days or hours, {_EXAMPLES}."
        )
    seconds = int(sum(Fraction(number) * _UNITS[unit[0]] for number, unit in parts))
    if seconds > LONGEST.total_seconds():
        raise DurationError("A key can live for at most 100 years (36500d). Choose Never instead.")
    if seconds < SHORTEST.total_seconds():
        raise DurationError("A key must live for at least one minute.")
    return timedelta(seconds=seconds)


def _parts(text: str) -> list[tuple[str, str]]:
    """Number and unit of each part, or nothing when anything else stands in between."""
    if len(text) > 64:
        return []
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

    Whole seconds; raises ValueError below one second, where Estuary would make a dead key, and
    above 292 years, where it would answer 500.
    """
    if lifetime is None:
        return "false"
    total = lifetime // timedelta(seconds=1)
    if not 1 <= total <= _GO_LONGEST:
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
    """Break seconds into the given units, the largest first, leaving out the empty ones."""
    parts = []
    for unit in units:
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append((count, unit))
    return parts
