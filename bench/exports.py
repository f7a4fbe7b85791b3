"""Exports from the console and from the node, both by curl."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from dataclasses import dataclass
from statistics import median

from bench.plan import Plan, of_export
from bench.processes import Peak, cpu_seconds
from bench.stage import Console, Node, Stage

DATE_BYTES = 16  # two exports of an account differ in the digits of their times
HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Download:
    size: int
    seconds: float
    first_byte_ms: float

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.size / self.seconds


@dataclass(frozen=True)
class ExportFigures:
    """Medians of the rounds; the growth is the maximum."""

    mib: int
    size: int
    node_rate: float  # bytes a second
    rate: float
    ratio: float
    node_first_byte_ms: float
    first_byte_ms: float
    growth: int  # of resident memory, bytes
    cpu_ms_per_mib: float


def measure(stage: Stage, plan: Plan) -> list[ExportFigures]:
    with stage.node() as node, stage.console(node) as console:
        exports = _Exports(stage, node, console)
        for _ in range(4):  # warms up both processes
            exports.through_console(of_export(plan.exports[0]))
        return [_figures(exports, size, plan.export_rounds) for size in plan.exports]


def _figures(exports: _Exports, mib: int, rounds: int) -> ExportFigures:
    name = of_export(mib)
    print(f"  {mib:,} MiB", flush=True)
    direct, through, growth, cpu = [], [], [], []
    for _ in range(1 if mib > 1024 else rounds):
        direct.append(exports.from_node(name))
        used = cpu_seconds(exports.console.pid)
        with Peak(exports.console.pid) as peak:
            through.append(exports.through_console(name))
        cpu.append(cpu_seconds(exports.console.pid) - used)
        growth.append(peak.growth)
        if abs(direct[-1].size - through[-1].size) > DATE_BYTES:
            raise RuntimeError(f"the export has {through[-1].size} bytes of {direct[-1].size}")
    return ExportFigures(
        mib=mib,
        size=through[0].size,
        node_rate=median(one.rate for one in direct),
        rate=median(one.rate for one in through),
        ratio=median(b.rate / a.rate for a, b in zip(direct, through, strict=True)),
        node_first_byte_ms=median(one.first_byte_ms for one in direct),
        first_byte_ms=median(one.first_byte_ms for one in through),
        growth=max(growth),
        cpu_ms_per_mib=1000 * median(cpu) / (through[0].size / (1 << 20)),
    )


class _Exports:
    def __init__(self, stage: Stage, node: Node, console: Console) -> None:
        self._stage = stage
        self._node = node
        self.console = console

    def from_node(self, name: str) -> Download:
        token = self._node.tokens[name]
        return curl(f"{self._node.url}/user/export", [f"Authorization: Bearer {token}"])

    def through_console(self, name: str) -> Download:
        """As the button does: fetch the form first, without counting its time."""
        cookie = self._stage.cookies[name]
        page = urllib.request.Request(f"{self.console.url}/exports/", headers={"Cookie": cookie})
        with urllib.request.urlopen(page, timeout=30) as answer:
            field = HIDDEN.search(answer.read().decode())
        if not field:
            raise RuntimeError("the page has no form")
        return curl(
            f"{self.console.url}/exports/download/",
            [f"Cookie: {cookie}"],
            f"csrfmiddlewaretoken={field[1]}",
        )


def curl(url: str, headers: list[str], form: str = "") -> Download:
    """Fetch and discard; raises unless it is a complete 200."""
    lines = [f'url = "{url}"', 'output = "/dev/null"', 'write-out = "%{json}"', "silent", "fail"]
    lines += [f'header = "{header}"' for header in headers]
    lines += [f'data = "{form}"'] if form else []
    # Options on standard input: `ps` would show the command line.
    done = subprocess.run(
        ["curl", "--config", "-"],
        input="\n".join(lines).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    return Download(
        size=told["size_download"],
        seconds=told["time_total"],
        first_byte_ms=1000 * told["time_starttransfer"],
    )
