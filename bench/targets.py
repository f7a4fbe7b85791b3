"""The targets, the figures, and those of the incumbent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.exports import ExportFigures
from bench.members import Members
from bench.pages import Pages
from bench.paint import PaintFigures
from bench.results import Results
from bench.routes import RouteFigures

MIB = 1 << 20
#: Measured on the same kind of machine; README.md says how.
INCUMBENT_PAGES = 413
INCUMBENT_PAINTED = {10: 429, 1_000: 641, 10_000: 2_267}
INCUMBENT_SIZE = {10: 650_118, 1_000: 799_413, 10_000: 2_156_613}
OVER_NODE = {10: 8, 10_000: 45}  # ms
PAINTED = {10: 150, 10_000: 350}  # ms
PAGES = 350  # a second
SIZE, WARM_SIZE, REQUESTS = 45_000, 8_000, 6
RATIO, GROWTH = 0.9, 16  # MiB
DEAREST_PAGE = 3
WORST, PATIENCE = 2_000, 50  # ms


@dataclass(frozen=True)
class Row:
    """One line of the table; `figure` and `bound` have the same unit."""

    what: str
    figure: float
    bound: float
    unit: str
    at_least: bool = False
    incumbent: str = "-"
    digits: int = 0

    @property
    def is_reached(self) -> bool:
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    @property
    def missed_by(self) -> float:
        return abs(self.figure - self.bound) if not self.is_reached else 0.0

    def said(self, value: float) -> str:
        return f"{value:,.{self.digits}f}{' ' if self.unit else ''}{self.unit}"


def rows_of(results: Results) -> Iterator[Row]:
    if results.pages:
        yield from _pages(results.pages)
    for paint in results.paint or []:
        yield from _paint(paint)
    for export in results.exports or []:
        if export.mib == 1024:
            yield from _export(export)
    if results.routes:
        yield from _routes(results.routes)
    if results.members:
        yield from _members(results.members)


def _pages(pages: Pages) -> Iterator[Row]:
    for one in pages.figures:
        if one.connections == 1 and one.keys in OVER_NODE:
            what = f"Page of {one.keys:,} keys, 1 connection: p50 over the node's own"
            yield Row(what, one.over_node_ms, OVER_NODE[one.keys], "ms", digits=1)
        if (one.keys, one.connections) == (10, 32):
            what = "Page of 10 keys, 32 connections: pages a second"
            beside = f"{INCUMBENT_PAGES}, without the keys"
            yield Row(what, one.read.per_second, PAGES, "", at_least=True, incumbent=beside)
    errors = sum(one.read.errors + one.kept.errors for one in pages.figures)
    yield Row("Pages under load: errors", errors, 0, "")


def _paint(found: PaintFigures) -> Iterator[Row]:
    keys, paint = found.keys, found.paint
    if keys in PAINTED:
        yield Row(
            f"Cold browser, {keys:,} keys: row painted",
            paint.row_painted,
            PAINTED[keys],
            "ms",
            incumbent=f"{INCUMBENT_PAINTED[keys]:,} ms",
        )
    if keys not in INCUMBENT_SIZE:
        return
    what, before = f"Cold browser, {keys:,} keys: ", f"{INCUMBENT_SIZE[keys] / 1000:,.0f} kB"
    yield Row(what + "bytes", paint.size / 1000, SIZE / 1000, "kB", incumbent=before, digits=1)
    yield Row(what + "requests", paint.requests, REQUESTS, "", incumbent="30")
    yield Row(what + "longest task", paint.longest_task, PATIENCE, "ms")
    yield Row(what + "layout shift", paint.layout_shift, 0, "", incumbent="0", digits=3)
    what = f"Warm browser, {keys:,} keys: "
    yield Row(what + "bytes", paint.warm_size / 1000, WARM_SIZE / 1000, "kB", digits=1)
    yield Row(what + "requests", paint.warm_requests, 1, "", incumbent="4")


def _export(export: ExportFigures) -> Iterator[Row]:
    what, none = "Export of 1 GiB: ", "has none"
    yield Row(
        what + "throughput ÷ curl's from the node",
        export.ratio,
        RATIO,
        "",
        at_least=True,
        incumbent=none,
        digits=2,
    )
    growth = export.growth / MIB
    yield Row(what + "growth of memory", growth, GROWTH, "MiB", incumbent=none, digits=1)


def _routes(found: list[RouteFigures]) -> Iterator[Row]:
    dearest = max(found, key=lambda one: one.ratio)
    what = f"Most expensive page (`{dearest.name}`): CPU ÷ that of a key's page"
    yield Row(what, dearest.ratio, DEAREST_PAGE, "", digits=1)


def _members(found: Members) -> Iterator[Row]:
    what = f"{found.members} members at once, node at 500 ms: "
    yield Row(what + "errors", found.errors, 0, "")
    yield Row(what + "p95", found.p95, WORST, "ms")
