"""Go's `time.ParseDuration`, errors included: what Estuary accepts as `expiry`."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    b"ns": 1,
    b"us": 1_000,
    "µs".encode(): 1_000,  # U+00B5, micro sign
    "μs".encode(): 1_000,
    b"ms": 1_000_000,
    b"s": 1_000_000_000,
    b"m": 60_000_000_000,
    b"h": 3_600_000_000_000,
}
_LARGEST = (1 << 63) - 1
_DIGITS = 19  # a longer whole number overflows, further decimals change nothing
_NUMBER = re.compile(rb"(\d*)(\.?)(\d*)")
_UNIT = re.compile(rb"[^.0-9]*")


class DurationError(ValueError):
    """The text of Go's error, which Estuary passes on."""


def parse_duration(text: bytes) -> int:
    """Nanoseconds of a Go duration such as `1h30m`, `.5h` or `-5h`.

    Raises DurationError in Go's words; there are no days, and 2562047h is the longest.
    """
    rest = text[1:] if text[:1] in (b"+", b"-") else text
    negative = text[:1] == b"-"
    if rest == b"0":
        return 0
    if not rest:
        raise DurationError(f"time: invalid duration {_quote(text)}")
    total = 0
    while rest:
        amount, rest = _one_part(rest, text)
        total += amount
        if total > _LARGEST + negative:
            raise DurationError(f"time: invalid duration {_quote(text)}")
    return -total if negative else total


def _one_part(rest: bytes, text: bytes) -> tuple[int, bytes]:
    number = _NUMBER.match(rest)
    if number is None or not (number[1] or number[3]):
        raise DurationError(f"time: invalid duration {_quote(text)}")
    rest = rest[number.end() :]
    unit = _UNIT.match(rest)[0]  # type: ignore[index]  # matches the empty text too
    if not unit:
        raise DurationError(f"time: missing unit in duration {_quote(text)}")
    if unit not in _UNITS:
        raise DurationError(f"time: unknown unit {_quote(unit)} in duration {_quote(text)}")
    if len(number[1].lstrip(b"0")) > _DIGITS:
        raise DurationError(f"time: invalid duration {_quote(text)}")
    whole, fraction = number[1][-_DIGITS:] or b"0", number[3][:_DIGITS] or b"0"
    amount = Fraction(f"{whole.decode()}.{fraction.decode()}")
    return int(amount * _UNITS[unit]), rest[len(unit) :]


def _quote(text: bytes) -> str:
    shown = (
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 32 <= byte < 128 else f"\\x{byte:02x}"
        for byte in text
    )
    return f'"{"".join(shown)}"'
