"""CPU and memory of processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    return [int(word) for word in (PROC / f"{pid}/task/{pid}/children").read_text().split()]


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    for child in children(pid):
        yield from family(child)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and its living descendants."""
    return sum(_ticks(one) for one in family(pid)) / TICKS


def _ticks(pid: int) -> int:
    # The name may contain blanks and brackets; the numbers follow it.
    fields = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory(pid: int, kind: str = "Rss") -> int:
    """Bytes of a process and its descendants; `kind` is Rss, or Pss (shared pages once)."""
    return sum(_of_one(one, "smaps_rollup", f"{kind}:") for one in family(pid))


def _of_one(pid: int, file: str, kind: str) -> int:
    for line in (PROC / f"{pid}/{file}").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no {kind} for {pid}")


class Peak:
    """The peak of memory of a process and its descendants inside the `with` block.

    The kernel keeps the mark: looking every few milliseconds would slow what is measured. The
    marks of several processes may be of different moments; their sum is never too low.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.most = 0

    def __enter__(self) -> Self:
        for one in family(self._pid):
            (PROC / f"{one}/clear_refs").write_text("5")  # resets the peak to the current use
        self.before = self._marked()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.most = self._marked()

    @property
    def growth(self) -> int:
        return self.most - self.before

    def _marked(self) -> int:
        return sum(_of_one(one, "status", "VmHWM:") for one in family(self._pid))
