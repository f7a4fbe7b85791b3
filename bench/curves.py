"""Charts: cost by keys of an account, by connections, by size of an export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench.exports import ExportFigures
from bench.pages import Memory, PageFigures, Pages
from bench.results import Results
from bench.svg import Chart, Curve, drawn
from bench.targets import MIB


def draw(results: Results, folder: Path) -> None:
    """Write a chart for each curve that has points."""
    for name, chart in _charts(results):
        (folder / f"{name}.svg").write_text(drawn(chart), encoding="utf-8")


def _charts(results: Results) -> Iterator[tuple[str, Chart]]:
    footer = results.machine.sentence
    if results.pages:
        yield from _of_keys(results.pages, footer)
        yield from _of_connections(results.pages, footer)
    if results.exports:
        yield from _of_exports(results.exports, footer)


def _of_keys(pages: Pages, footer: str) -> Iterator[tuple[str, Chart]]:
    found = [one for one in pages.figures if one.connections == 1]
    names = {float(one.keys): f"{one.keys:,}" for one in found}
    title = "The key page, one connection, node latency 20 ms"
    curves = [
        _curve("page, read", found, lambda one: (one.keys, one.read.p50)),
        _curve("the node's list", found, lambda one: (one.keys, one.node.p50)),
        _curve("page, kept list", found, lambda one: (one.keys, one.kept.p50)),
        _curve("CPU of a page", found, lambda one: (one.keys, one.read.cpu_ms)),
    ]
    yield "keys-time", Chart(title, "Keys of the account", "p50, ms", names, curves, footer)
    kept = [one for one in pages.memory if one.connections == 1]
    yield (
        "keys-memory",
        Chart(
            "Memory of the console after pages, one connection",
            "Keys of the account",
            "MiB, all processes",
            names,
            _memory(kept, lambda one: one.keys),
            footer,
        ),
    )


def _of_connections(pages: Pages, footer: str) -> Iterator[tuple[str, Chart]]:
    least = min(one.keys for one in pages.figures)
    found = [one for one in pages.figures if one.keys == least]
    names = {float(one.connections): str(one.connections) for one in found}
    title = f"The key page of {least} keys, node latency 20 ms"
    times = [
        _curve("read, p99", found, lambda one: (one.connections, one.read.p99)),
        _curve("read, p50", found, lambda one: (one.connections, one.read.p50)),
        _curve("kept list, p50", found, lambda one: (one.connections, one.kept.p50)),
        _curve("the node, p50", found, lambda one: (one.connections, one.node.p50)),
    ]
    yield "connections-time", Chart(title, "Connections", "ms", names, times, footer)
    rates = [
        _curve("read", found, lambda one: (one.connections, one.read.per_second)),
        _curve("kept list", found, lambda one: (one.connections, one.kept.per_second)),
    ]
    yield "connections-rate", Chart(title, "Connections", "Pages a second", names, rates, footer)
    kept = [one for one in pages.memory if one.keys == least]
    yield (
        "connections-memory",
        Chart(
            f"Memory of the console after pages of {least} keys",
            "Connections",
            "MiB, all processes",
            names,
            _memory(kept, lambda one: one.connections),
            footer,
        ),
    )


def _of_exports(found: list[ExportFigures], footer: str) -> Iterator[tuple[str, Chart]]:
    names = {float(one.mib): f"{one.mib:,}" for one in found}
    times = [
        Curve("console", [(one.mib, one.size / one.rate) for one in found]),
        Curve("node", [(one.mib, one.size / one.node_rate) for one in found]),
    ]
    title = "An export by curl, node latency 20 ms"
    yield "exports-time", Chart(title, "MiB", "Seconds", names, times, footer)
    # A logarithmic axis has no zero.
    growth = [Curve("growth", [(one.mib, max(one.growth / MIB, 0.1)) for one in found])]
    yield (
        "exports-memory",
        Chart("Growth of the console's memory in an export", "MiB", "MiB", names, growth, footer),
    )


def _curve(
    name: str, found: list[PageFigures], point: Callable[[PageFigures], tuple[float, float]]
) -> Curve:
    points = [point(one) for one in found]
    return Curve(name, [(x, y) for x, y in points if y > 0])  # 0: no page in time


def _memory(found: list[Memory], place: Callable[[Memory], float]) -> list[Curve]:
    return [
        Curve("RSS", [(place(one), one.rss / MIB) for one in found]),
        Curve("PSS", [(place(one), one.pss / MIB) for one in found]),
    ]
