"""Load by wrk: each connection asks again as soon as it is answered."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.processes import cpu_seconds

SCRIPT = Path(__file__).with_name("members.lua")


class NoWrk(Exception):
    """wrk is missing: install Debian's package wrk."""


@dataclass(frozen=True)
class Load:
    """The result: times in milliseconds, CPU of the server only."""

    connections: int
    requests: int
    errors: int
    per_second: float
    p50: float
    p95: float
    p99: float
    most: float
    cpu_ms: float  # per request


def load(url: str, headers: list[str], connections: int, seconds: int, pid: int) -> Load:
    """Ask `url` for some seconds; requests use the header lines in turn.

    `pid` is the server's first process, whose CPU is counted with that of those below it.
    """
    if not shutil.which("wrk"):
        raise NoWrk
    command = ["wrk", "-t1", "--timeout", "30s", "-s", str(SCRIPT)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(headers) + "\n")
        file.flush()
        before = cpu_seconds(pid)
        told = subprocess.run(
            [*command, f"-c{connections}", f"-d{seconds}", url, "--", file.name],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        used = cpu_seconds(pid) - before
    sums = json.loads(told.splitlines()[-1])
    return Load(
        connections=connections,
        requests=sums["requests"],
        errors=sums["errors"],
        per_second=sums["requests"] / sums["seconds"],
        cpu_ms=1000 * used / max(1, sums["requests"]),
        **{name: sums[name] for name in ("p50", "p95", "p99", "most")},
    )


def body_of(url: str, header: str) -> str:
    """One page as text. wrk does not count redirects, so check the page before and after."""
    name, _, value = header.partition(": ")
    request = urllib.request.Request(url, headers={name: value})
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.url != url:
            raise RuntimeError(f"{url} leads to {answer.url}")
        text: str = answer.read().decode()
        return text
