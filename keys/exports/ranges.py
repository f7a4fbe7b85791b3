"""The bytes of a file that a request wants: one range of RFC 9110, or the whole file."""

from __future__ import annotations

import re
from dataclasses import dataclass

_one_range = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


class NotSatisfiable(Exception):
    """The range begins behind the end of the file."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From byte `start` up to, and without, byte `end`."""

    start: int
    end: int
    is_part: bool  # False: answer 200 with all of it

    @property
    def length(self) -> int:
        return self.end - self.start


def is_one_range(header: str) -> bool:
    return _one_range.fullmatch(header) is not None


def wanted_range(header: str, if_range: str, size: int, etag: str) -> ByteRange:
    """The range that is wanted of this version of a file; raises NotSatisfiable.

    Several ranges, other units and what cannot be read are ignored, as RFC 9110 allows.
    """
    whole = ByteRange(0, size, is_part=False)
    match = _one_range.fullmatch(header)
    if not match or (if_range and if_range != etag):
        return whole
    first, last = match.groups()
    if not first and not last:
        return whole
    if not first:  # the last bytes
        start, end = max(0, size - int(last)), size
        is_empty = not int(last)
    else:
        start = int(first)
        end = min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return whole
        is_empty = start >= size
    if is_empty or start >= end:
        raise NotSatisfiable
    return ByteRange(start, end, is_part=True)
