"""How many pages one core serves: the table of docs/scaling.md."""

from __future__ import annotations

from bench.markdown import table
from bench.results import Results
from bench.targets import MIB


def sized(results: Results) -> str:
    """Pages per second and core, from the CPU of a page under the highest load."""
    if not results.pages:
        return ""
    most = {one.keys: one for one in results.pages.figures}  # the last has the most connections
    memory = {one.keys: one for one in results.pages.memory}
    lines = table(
        ("Keys of an account", "Pages a second, Estuary asked", "list kept", "Memory, MiB"),
        *(
            (
                f"{keys:,}",
                f"{1000 / one.read.cpu_ms:.0f}",
                f"{1000 / one.kept.cpu_ms:.0f}",
                f"{memory[keys].pss / MIB:.0f}",
            )
            for keys, one in most.items()
        ),
        words=0,
    )
    return "\n" + "\n".join(lines) + f"\n\nOn {results.machine.cpu}, {results.machine.at[:10]}.\n\n"
