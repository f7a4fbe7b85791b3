"""Prepared exports: `python -m bench.prepared [CONTENTS]`, 1,000,000 by default (some 1.1 GiB).

curl writes the node's export to disk; then a worker's code prepares it twice, makes the CSV of its
contents, and compares the two. Each line gives the figure, its limit, and the growth of memory.

Here the node takes one of the cores. So curl and the worker's code are compared once more with a
node that sends a gigabit a second, as one on another machine does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.node import Account
from bench.processes import Peak
from bench.stage import Stage, staged

if TYPE_CHECKING:
    from keys.actors import Actor
    from keys.models import PreparedExport

MEMBER = "export"
MIB = 1 << 20
GIGABIT = 10**9 / 8  # bytes a second


def main() -> None:
    if sys.argv[1:2] == ["work"]:
        print(json.dumps(work(once="once" in sys.argv)))
        return
    contents = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with staged([Account(MEMBER, contents=contents)]) as stage:
        found = measure(stage)
    for line in lines(found):
        print(line)


def measure(stage: Stage) -> dict[str, Any]:
    with stage.node() as node:
        curl = []
        for _ in range(2):  # the first one warms the node up
            file = stage.folder / "curl.json"
            curl.append(to_disk(f"{node.url}/user/export", node.tokens[MEMBER], file))
            file.unlink()
        found: dict[str, Any] = json.loads(stage.output_of("bench.prepared", "work", node=node))
    with stage.node(export_rate=GIGABIT) as node:
        by_curl = to_disk(f"{node.url}/user/export", node.tokens[MEMBER], file)
        file.unlink()
        here = json.loads(stage.output_of("bench.prepared", "work", "once", node=node))
    found["gigabit_ratio"] = by_curl / here["fetch_seconds"]
    return found | {"curl_seconds": min(curl)}


def to_disk(url: str, token: str, file: Path) -> float:
    options = f'url = "{url}"\noutput = "{file}"\nsilent\nfail\n'
    header = f'header = "Authorization: Bearer {token}"\n'
    started = time.perf_counter()
    # Options on standard input: `ps` would show the command line.
    subprocess.run(["curl", "--config", "-"], input=(options + header).encode(), check=True)
    return time.perf_counter() - started


def lines(found: dict[str, Any]) -> Iterator[str]:
    rate = found["curl_seconds"] / found["fetch_seconds"]
    whole = found["curl_seconds"] / (found["fetch_seconds"] + found["verify_seconds"])
    yield f"export: {found['bytes'] / MIB:,.0f} MiB, {found['contents']:,} contents"
    yield (
        f"preparing ÷ curl to disk: {rate:.2f} (limit 0.8); with verifying {whole:.2f}; "
        f"memory +{found['prepare_growth'] / MIB:.0f} MiB (limit 32)"
    )
    yield f"the same with a node that sends a gigabit a second: {found['gigabit_ratio']:.2f}"
    csv = found["csv_bytes"] / MIB / found["csv_seconds"]
    growth = found["csv_growth"] / MIB
    yield f"CSV of contents: {csv:.0f} MiB/s (limit 25); memory +{growth:.0f} MiB"
    yield (
        f"compare: {found['compare_seconds']:.1f} s (limit 60 for 1,000,000); "
        f"memory +{found['compare_growth'] / MIB:.0f} MiB (limit 64)"
    )


def work(*, once: bool) -> dict[str, Any]:
    """In the console's environment: prepare twice, make a CSV, compare; or prepare once."""
    import django

    django.setup()
    from django.contrib.auth.models import User

    from keys.actors import Actor
    from keys.jobs import workers

    workers.register()
    actor = Actor(User.objects.get(username=MEMBER), "", "")
    new, figures = prepared(actor)
    if not once:
        old, (new, figures) = new, prepared(actor)
        figures |= csv_made(new) | compared(actor, old, new)
    workers.unregister()
    return figures | {"bytes": new.size, "contents": new.content_count}


def prepared(actor: Actor) -> tuple[PreparedExport, dict[str, Any]]:
    from keys.exports import preparing, queueing
    from keys.models import PreparedExport
    from keys.token.stored_tokens import of_member

    verified = 0.0
    verify = preparing._verify  # noqa: SLF001 # where fetching ends

    def timed_verify(row: PreparedExport, actor: Actor) -> None:
        nonlocal verified
        verified = timed(lambda: verify(row, actor))[0]

    number = queueing.queue_export(actor, of_member(actor.known_member)).pk
    preparing._verify = timed_verify  # noqa: SLF001
    try:
        seconds, growth = timed(preparing.prepare_due)
    finally:
        preparing._verify = verify  # noqa: SLF001
    row = PreparedExport.objects.get(pk=number)
    if row.state != "ready":
        raise RuntimeError(f"not prepared: {row.sentence}")
    figures = {"fetch_seconds": seconds - verified, "verify_seconds": verified}
    return row, figures | {"prepare_growth": growth}


def csv_made(row: PreparedExport) -> dict[str, Any]:
    from keys.exports import delivery

    size = 0

    def make() -> None:
        nonlocal size
        file = delivery.open_document(row, "contents.csv")
        size = sum(map(len, file))
        file.close()

    seconds, growth = timed(make)
    return {"csv_bytes": size, "csv_seconds": seconds, "csv_growth": growth}


def compared(actor: Actor, old: PreparedExport, new: PreparedExport) -> dict[str, Any]:
    from keys.exports import comparing, comparisons
    from keys.models import ExportComparison

    comparisons.compare(actor, old, new)
    seconds, growth = timed(comparing.compare_due)
    if ExportComparison.objects.get().state != "done":
        raise RuntimeError("not compared")
    return {"compare_seconds": seconds, "compare_growth": growth}


def timed(do: Callable[[], object]) -> tuple[float, int]:
    """Seconds, and the growth of this process's memory."""
    import os

    with Peak(os.getpid()) as peak:
        started = time.perf_counter()
        do()
        seconds = time.perf_counter() - started
    return seconds, peak.growth


if __name__ == "__main__":
    main()
