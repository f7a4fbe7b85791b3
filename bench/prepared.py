"""Prepared exports: `python -m bench.prepared [CONTENTS]`, 1,000,000 by default (some 1.1 GiB).

curl writes the node's export to disk; then a worker's code prepares it twice, makes the CSV of its
contents, and compares the two. Each line gives the figure, its limit, and the growth of memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.node import Account
from bench.processes import Peak
from bench.stage import Stage, staged

MEMBER = "export"
MIB = 1 << 20


def main() -> None:
    if sys.argv[1:2] == ["work"]:
        print(json.dumps(work()))
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
    csv = found["csv_bytes"] / MIB / found["csv_seconds"]
    growth = found["csv_growth"] / MIB
    yield f"CSV of contents: {csv:.0f} MiB/s (limit 25); memory +{growth:.0f} MiB"
    yield (
        f"compare: {found['compare_seconds']:.1f} s (limit 60 for 1,000,000); "
        f"memory +{found['compare_growth'] / MIB:.0f} MiB (limit 64)"
    )


def work() -> dict[str, Any]:
    """In the console's environment: prepare twice, make a CSV, compare."""
    import django

    django.setup()
    from django.contrib.auth.models import User

    from keys.actors import Actor
    from keys.exports import comparing, comparisons, delivery, preparing, queueing
    from keys.jobs import workers
    from keys.models import ExportComparison, PreparedExport
    from keys.token.stored_tokens import of_member

    workers.register()
    member = User.objects.get(username=MEMBER)
    actor = Actor(member, "", "")
    verified: list[float] = []
    verify = preparing._verify  # noqa: SLF001 # where fetching ends

    def timed_verify(row: PreparedExport, actor: Actor) -> None:
        verified.append(timed(lambda: verify(row, actor))[0])

    preparing._verify = timed_verify  # noqa: SLF001
    exports = []
    for _ in range(2):
        exports.append(queueing.queue_export(actor, of_member(member)))
        seconds, growth = timed(preparing.prepare_due)
    old, new = (PreparedExport.objects.get(pk=row.pk) for row in exports)
    if (old.state, new.state) != ("ready", "ready"):
        raise RuntimeError(f"not prepared: {old.sentence} {new.sentence}")
    size = 0

    def make_csv() -> None:
        nonlocal size
        file = delivery.deliver(actor, new, "contents.csv")
        size = sum(map(len, file))
        file.close()

    csv_seconds, csv_growth = timed(make_csv)
    comparisons.compare(actor, old, new)
    compare_seconds, compare_growth = timed(comparing.compare_due)
    if ExportComparison.objects.get().state != "done":
        raise RuntimeError("not compared")
    workers.unregister()
    return {
        "bytes": new.size,
        "contents": new.content_count,
        "fetch_seconds": seconds - verified[-1],
        "verify_seconds": verified[-1],
        "prepare_growth": growth,
        "csv_bytes": size,
        "csv_seconds": csv_seconds,
        "csv_growth": csv_growth,
        "compare_seconds": compare_seconds,
        "compare_growth": compare_growth,
    }


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
