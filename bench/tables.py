"""The tables of the parts."""

from __future__ import annotations

from collections.abc import Iterator

from bench.exports import ExportFigures
from bench.markdown import table
from bench.members import Members
from bench.pages import Pages
from bench.profile import CONNECTIONS, LAYERS, REST, Profile
from bench.routes import RouteFigures
from bench.targets import MIB


def of_pages(pages: Pages) -> Iterator[str]:
    yield "The key page. “Node” is the node's own list, “read” a page that asks the node for it,"
    yield "“kept” one that shows the list of at most 15 seconds ago. Times in ms, CPU per page."
    yield ""
    head = ("Keys", "Connections", "Node p50", "Read p50", "p99", "Pages/s", "÷ node's", "CPU")
    yield from table(
        (*head, "Kept p50", "p99", "Pages/s", "CPU"),
        *(
            (
                f"{one.keys:,}",
                one.connections,
                f"{one.node.p50:.1f}",
                f"{one.read.p50:.1f}",
                f"{one.read.p99:.1f}",
                f"{one.read.per_second:.0f}",
                f"{one.read.per_second / one.node.per_second:.2f}",
                f"{one.read.cpu_ms:.1f}",
                f"{one.kept.p50:.1f}",
                f"{one.kept.p99:.1f}",
                f"{one.kept.per_second:.0f}",
                f"{one.kept.cpu_ms:.1f}",
            )
            for one in pages.figures
        ),
        words=0,
    )


def of_memory(pages: Pages) -> Iterator[str]:
    yield "Memory of all processes of the console, in MiB; PSS counts shared pages once."
    yield ""
    last = {one.keys: one for one in pages.memory}
    yield from table(
        ("Keys", "Fresh, RSS", "After load, RSS", "PSS", "Connections"),
        *(
            (
                f"{one.keys:,}",
                f"{one.before / MIB:.0f}",
                f"{one.rss / MIB:.0f}",
                f"{one.pss / MIB:.0f}",
                one.connections,
            )
            for one in last.values()
        ),
        words=0,
    )


def of_exports(found: list[ExportFigures]) -> Iterator[str]:
    yield "Exports by curl, from the node and through the console. Rates in MiB/s, first byte in"
    yield "ms, growth of resident memory in MiB, CPU of the console in ms for each MiB."
    yield ""
    yield from table(
        ("MiB", "Node", "Console", "Ratio", "Node's first byte", "Console's", "Growth", "CPU"),
        *(
            (
                f"{one.mib:,}",
                f"{one.node_rate / MIB:.0f}",
                f"{one.rate / MIB:.0f}",
                f"{one.ratio:.2f}",
                f"{one.node_first_byte_ms:.0f}",
                f"{one.first_byte_ms:.0f}",
                f"{one.growth / MIB:.1f}",
                f"{one.cpu_ms_per_mib:.1f}",
            )
            for one in found
        ),
        words=0,
    )


def of_members(found: Members) -> Iterator[str]:
    yield f"{found.members} members at once, {found.bursts} times; “sustained” is for members who"
    yield "ask again as soon as they are answered. Times in ms."
    yield ""
    last = found.sustained
    yield from table(
        ("", "p50", "p95", "Most", "Errors", "Pages/s"),
        ("At once", f"{found.p50:.0f}", f"{found.p95:.0f}", f"{found.most:.0f}", found.errors, "-"),
        (
            "Sustained",
            f"{last.p50:.0f}",
            f"{last.p95:.0f}",
            f"{last.most:.0f}",
            last.errors,
            f"{last.per_second:.0f}",
        ),
    )


def of_routes(found: list[RouteFigures]) -> Iterator[str]:
    yield "CPU of every page for 1 connection, and divided by that of a key's page."
    yield ""
    yield from table(
        ("Page", "CPU, ms", "÷ a key's page"),
        *((f"`{one.name}`", f"{one.cpu_ms:.1f}", f"{one.ratio:.2f}") for one in found),
    )


def of_profile(found: list[Profile]) -> Iterator[str]:
    yield f"Where the console's CPU goes, {CONNECTIONS} connections, pages that read, in percent."
    yield ""
    yield from table(
        ("Layer", *(f"{one.keys:,} keys" for one in found)),
        *(
            (layer, *(f"{one.shares.get(layer, 0):.0f}" for one in found))
            for layer in (*LAYERS, REST)
        ),
    )
