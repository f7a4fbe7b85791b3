"""The targets, the figures, and those of the incumbent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.exports import ExportFigures
from bench.load import Load
from bench.members import Members
from bench.pages import MOST_COMPARED, PageFigures, Pages
from bench.paint import PaintFigures
from bench.results import Results
from bench.routes import RouteFigures

MIB = 1 << 20
#: Measured on the same kind of machine; README.md says how.
INCUMBENT_PAGES = 413
INCUMBENT_PAINTED = {10: 429, 1_000: 641, 10_000: 2_267}
INCUMBENT_SIZE = {10: 650_118, 1_000: 799_413, 10_000: 2_156_613}
SMALL, LARGE = 10, 10_000  # keys
FIRST_VISIT_OVER_NODE = 7  # ms
KEPT_TO_NODE, KEPT_TO_SLOW_NODE = 0.35, 0.03  # p50
READ_TO_PLAIN, KEPT_TO_PLAIN = 1.0, 1.5  # pages a second
LARGE_TO_SMALL = 1.5  # p50, CPU and resident memory
PAINTED_TO_EMPTY = {SMALL: 2.2, LARGE: 2.3}
SIZE, WARM_SIZE, REQUESTS = 36_000, 6_000, 4
EXPORT_RATIO, EXPORT_CPU, EXPORT_GROWTH = 0.85, 2.0, 16  # of curl's rate; seconds a GiB; MiB
MOST_EXPENSIVE_PAGE = 3
MEMBERS_P95, MEMBERS_KEPT_P95, LONGEST_TASK = 1_800, 1_000, 50  # ms


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
    found = {(one.keys, one.connections): one for one in pages.figures}
    small, large = found.get((SMALL, 1)), found.get((LARGE, 1))
    if small:
        yield _ratio("Kept page of 10 keys: p50 ÷ the node's own", _kept(small), KEPT_TO_NODE)
        what = "First visit, 10 keys: p50 over the node's own"
        yield Row(what, small.over_node_ms, FIRST_VISIT_OVER_NODE, "ms", digits=1)
    if pages.slow:
        what = "The same, node at 500 ms"
        yield _ratio(what, _kept(pages.slow), KEPT_TO_SLOW_NODE)
    if small and large:
        what = "Kept page of 10,000 keys ÷ of 10 keys: "
        yield _ratio(what + "p50", large.kept.p50 / small.kept.p50, LARGE_TO_SMALL)
        yield _ratio(what + "CPU", large.kept.cpu_ms / small.kept.cpu_ms, LARGE_TO_SMALL)
    loaded = found.get((SMALL, MOST_COMPARED))
    if loaded and pages.plain:
        yield from _beside_plain(loaded, pages.plain)
    yield from _resident(pages)
    errors = sum(one.read.errors + one.kept.errors for one in pages.figures)
    yield Row("Pages under load: errors", errors, 0, "")


def _kept(one: PageFigures) -> float:
    return one.kept.p50 / one.node.p50


def _ratio(what: str, figure: float, bound: float) -> Row:
    return Row(what, figure, bound, "", digits=2)


def _beside_plain(loaded: PageFigures, plain: Load) -> Iterator[Row]:
    what = "Pages a second, 32 connections ÷ the plain page's: "
    for name, asked, bound in (
        ("asking", loaded.read, READ_TO_PLAIN),
        ("kept", loaded.kept, KEPT_TO_PLAIN),
    ):
        figure = asked.per_second / plain.per_second
        beside = f"{INCUMBENT_PAGES} a second, without the keys"
        yield Row(what + name, figure, bound, "", at_least=True, incumbent=beside, digits=2)


def _resident(pages: Pages) -> Iterator[Row]:
    rss = {one.keys: one.rss for one in pages.memory if one.connections == MOST_COMPARED}
    if SMALL in rss and LARGE in rss:
        what = "Resident after load, 10,000 keys ÷ 10 keys"
        yield _ratio(what, rss[LARGE] / rss[SMALL], LARGE_TO_SMALL)


def _paint(found: PaintFigures) -> Iterator[Row]:
    keys, paint = found.keys, found.paint
    if keys in PAINTED_TO_EMPTY:
        yield Row(
            f"Cold browser, {keys:,} keys: row painted ÷ the empty page's",
            paint.row_painted / found.empty,
            PAINTED_TO_EMPTY[keys],
            "",
            incumbent=f"{INCUMBENT_PAINTED[keys]:,} ms",
            digits=2,
        )
    if keys not in INCUMBENT_SIZE:
        return
    what, before = f"Cold browser, {keys:,} keys: ", f"{INCUMBENT_SIZE[keys] / 1000:,.0f} kB"
    yield Row(what + "bytes", paint.size / 1000, SIZE / 1000, "kB", incumbent=before, digits=1)
    yield Row(what + "requests", paint.requests, REQUESTS, "", incumbent="30")
    yield Row(what + "longest task", paint.longest_task, LONGEST_TASK, "ms")
    yield Row(what + "layout shift", paint.layout_shift, 0, "", incumbent="0", digits=3)
    what = f"Warm browser, {keys:,} keys: "
    yield Row(what + "bytes", paint.warm_size / 1000, WARM_SIZE / 1000, "kB", digits=1)
    yield Row(what + "requests", paint.warm_requests, 1, "", incumbent="4")


def _export(export: ExportFigures) -> Iterator[Row]:
    what, none = "Export of 1 GiB: ", "has none"
    yield Row(
        what + "throughput ÷ curl's from the node",
        export.ratio,
        EXPORT_RATIO,
        "",
        at_least=True,
        incumbent=none,
        digits=2,
    )
    growth = export.growth / MIB
    yield Row(what + "growth of memory", growth, EXPORT_GROWTH, "MiB", incumbent=none, digits=1)
    cpu = export.cpu_ms_per_mib * 1024 / 1000
    yield Row(what + "CPU", cpu, EXPORT_CPU, "s", incumbent=none, digits=1)


def _routes(found: list[RouteFigures]) -> Iterator[Row]:
    most = max(found, key=lambda one: one.ratio)
    what = f"Most expensive page (`{most.name}`): CPU ÷ that of a key's page"
    yield Row(what, most.ratio, MOST_EXPENSIVE_PAGE, "", digits=1)


def _members(found: Members) -> Iterator[Row]:
    what = f"{found.members} members at once, node at 500 ms: "
    yield Row(what + "errors", found.errors + found.kept_errors, 0, "")
    yield Row(what + "p95, asking", found.p95, MEMBERS_P95, "ms")
    yield Row(what + "p95, kept", found.kept_p95, MEMBERS_KEPT_P95, "ms")
