"""The tables, for the terminal and for the results block of README.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench import tables
from bench.markdown import table
from bench.paint_table import of_paint
from bench.results import Results
from bench.targets import rows_of

BEGIN = "<!-- results: written by `make bench`, not by hand -->"
END = "<!-- end of results -->"


def write_into(page: Path, block: str) -> None:
    """Replace the text between the marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{block}{END}{after}", encoding="utf-8")


def told(results: Results) -> str:
    machine = results.machine
    parts = [
        [
            f"Machine: {machine.cpu}, {machine.cores} cores, {machine.memory_gib:.0f} GiB.",
            f"Linux {machine.kernel}, Python {machine.python} ({machine.build}),",
            f"Django {machine.django}, gunicorn {machine.gunicorn}, SQLite {machine.sqlite}.",
            f"Measured {machine.at} at commit {machine.commit} in {results.minutes:.0f} minutes;",
            f"load of the machine before: {machine.load_before:.2f}.",
        ],
        list(_targets(results)),
    ]
    if results.pages:
        parts += [list(tables.of_pages(results.pages)), list(tables.of_memory(results.pages))]
    if results.paint:
        parts.append(list(of_paint(results.paint)))
    if results.exports:
        parts.append(list(tables.of_exports(results.exports)))
    if results.members:
        parts.append(list(tables.of_members(results.members)))
    if results.profile:
        parts.append(list(tables.of_profile(results.profile)))
    if results.routes:
        parts.append(list(tables.of_routes(results.routes)))
    return "\n" + "\n\n".join("\n".join(lines) for lines in parts) + "\n\n"


def _targets(results: Results) -> Iterator[str]:
    yield from table(
        ("What", "Target", "Figure", "Reached", "Incumbent"),
        *(
            (
                row.what,
                f"{'≥' if row.at_least else '≤'} {row.said(row.bound)}",
                row.said(row.figure),
                "yes" if row.is_reached else f"**no**, by {row.said(row.missed_by)}",
                row.incumbent,
            )
            for row in rows_of(results)
        ),
    )
