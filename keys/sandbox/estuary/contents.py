"""What a user stores: a recipe for any number of contents, or explicit rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keys.sandbox.estuary.generations import Generation

LARGEST_EXPORT = 65_535  # PostgreSQL's limit of parameters in one query
_FIRST, _STEP, _CYCLE = 1000, 7919, 10  # sizes grow by _STEP; the last of each _CYCLE is inactive


def size_of(index: int) -> int:
    """Bytes of the content with this index in the recipe the recordings used."""
    return _FIRST + _STEP * index


def is_active(index: int) -> bool:
    """Whether the content with this index counts as active in that recipe."""
    return index % _CYCLE != _CYCLE - 1


@dataclass(frozen=True, slots=True)
class Content:
    """One explicit row of `contents`; None is SQL's NULL."""

    size: int
    cid: str | None = ""
    name: str | None = ""
    origins: str | None = ""
    active: bool = True
    aggregate: bool = False
    aggregated_in: int = 0
    deleted: bool = False
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Holdings:
    """A number of contents and deals made by the recipe, or explicit rows without deals."""

    contents: int = 0
    deals: int = 0
    rows: tuple[Content, ...] = ()

    @classmethod
    def of(cls, contents: Contents) -> Holdings:
        """A number gives that many contents with a deal each."""
        if isinstance(contents, Holdings):
            return contents
        if isinstance(contents, int):
            return cls(contents, contents)
        return cls(len(contents), rows=tuple(contents))

    def stats(self, generation: Generation) -> tuple[int, int]:
        """totalSize in bytes and numPins; what is counted changed twice (v0.1.1, v0.2.1)."""
        if self.rows:
            return _stats_of_rows(self.rows, generation)
        total = _FIRST * self.contents + _STEP * self.contents * (self.contents - 1) // 2
        if generation.name == "vintage":
            return total, self.contents
        idle = self.contents // _CYCLE
        last = _FIRST + _STEP * (_CYCLE - 1)  # size of the first inactive content
        idle_total = last * idle + _STEP * _CYCLE * idle * (idle - 1) // 2
        return total - idle_total, self.contents - idle


Contents = int | Sequence[Content] | Holdings  # how many, or which


def _stats_of_rows(rows: Sequence[Content], generation: Generation) -> tuple[int, int]:
    if generation.name == "current":
        sizes = [row.size for row in rows if row.active and not row.aggregate and not row.deleted]
    elif generation.name == "vintage":
        sizes = [row.size for row in rows if not row.deleted]
    else:
        top = sum(row.size for row in rows if row.active and not row.aggregated_in)
        return top, sum(row.active for row in rows)
    return sum(sizes), len(sizes)
