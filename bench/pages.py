"""The list page under load, beside direct calls to the node for the same list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from statistics import median

from bench.load import Load, body_of, load
from bench.plan import PLAIN_SESSION, Plan, of_keys
from bench.processes import memory
from bench.stage import Console, Node, Stage

LIST = "/user/api-keys"
READ = "/keys/?fresh=1"  # asks the node
KEPT = "/keys/"  # shows the kept list at once
PLAIN = "/plain/"
MOST_ROWS = 40  # on a page
ROW = '<tr id="key-'
MOST_COMPARED = 32  # connections
WARM_UP = 8  # connections: warms up all processes and many threads


@dataclass(frozen=True)
class PageFigures:
    """Medians of the rounds; `over_node_ms` is the median of the differences."""

    keys: int
    connections: int
    node: Load
    read: Load
    kept: Load
    over_node_ms: float


@dataclass(frozen=True)
class Memory:
    """Memory of all processes of the console, in bytes, and the load that led to it."""

    keys: int
    connections: int
    before: int
    rss: int
    pss: int


@dataclass(frozen=True)
class Pages:
    figures: list[PageFigures]
    memory: list[Memory]
    plain: Load | None = None  # the plain page: the smallest account, the most connections
    slow: PageFigures | None = None  # the smallest account, 1 connection, before a slow node

    def at(self, keys: int, connections: int) -> PageFigures:
        return next(
            one for one in self.figures if (one.keys, one.connections) == (keys, connections)
        )


def measure(stage: Stage, plan: Plan) -> Pages:
    figures, kept = [], []
    with stage.node() as node:
        for keys in plan.keys:
            # A new console for each size, so that its memory belongs to this size.
            with stage.console(node) as console:
                page = _Page(stage, node, console, keys)
                page.check()
                before = memory(console.pid)
                for connections, found in page.figures(plan):
                    print(f"  {keys:,} keys, {connections} connections", flush=True)
                    figures.append(found)
                    now = memory(console.pid), memory(console.pid, "Pss")
                    kept.append(Memory(keys, connections, before, *now))
                page.check()
        plain = _plain(stage, node, plan)
    with stage.node(latency=plan.slow) as node, stage.console(node) as console:
        page = _Page(stage, node, console, plan.smallest)
        page.check()
        print(f"  {plan.smallest:,} keys, node at {1000 * plan.slow:.0f} ms", flush=True)
        slow = page.figures_with(1, plan)
    return Pages(figures, kept, plain, slow)


def _plain(stage: Stage, node: Node, plan: Plan) -> Load:
    """With the connections at which the targets compare it with the key page."""
    connections = min(MOST_COMPARED, max(plan.connections))
    cookie = f"Cookie: {stage.cookies[PLAIN_SESSION]}"
    with stage.plain_page(node) as server:
        url = server.url + PLAIN
        if body_of(url, cookie).count(ROW) != plan.smallest:
            raise RuntimeError("the plain page does not show its rows")
        print(f"  plain page, {connections} connections", flush=True)
        load(url, [cookie], WARM_UP, plan.seconds, server.pid)
        rounds = [
            load(url, [cookie], connections, plan.seconds, server.pid) for _ in range(plan.rounds)
        ]
    return _median(rounds)


class _Page:
    def __init__(self, stage: Stage, node: Node, console: Console, keys: int) -> None:
        self._node = node
        self._console = console
        self._keys = keys
        self._cookie = f"Cookie: {stage.cookies[of_keys(keys)]}"
        self._token = f"Authorization: Bearer {node.tokens[of_keys(keys)]}"

    def check(self) -> None:
        """Raise unless it is the page to measure."""
        for path in (READ, KEPT):
            rows = body_of(self._console.url + path, self._cookie).count(ROW)
            if rows != min(self._keys, MOST_ROWS):
                raise RuntimeError(f"{path} shows {rows} rows of {self._keys}")

    def figures(self, plan: Plan) -> Iterator[tuple[int, PageFigures]]:
        self._ask(READ, WARM_UP, plan.seconds_for(self._keys))
        for connections in plan.connections_for(self._keys):
            yield connections, self.figures_with(connections, plan)

    def figures_with(self, connections: int, plan: Plan) -> PageFigures:
        seconds = plan.seconds_for(self._keys)
        rounds = [self._round(connections, seconds) for _ in range(plan.rounds)]
        node, read, kept = (_median(list(loads)) for loads in zip(*rounds, strict=True))
        over = median(page.p50 - direct.p50 for direct, page, _ in rounds)
        return PageFigures(self._keys, connections, node, read, kept, over)

    def _round(self, connections: int, seconds: int) -> tuple[Load, Load, Load]:
        return (
            load(self._node.url + LIST, [self._token], connections, seconds, self._node.pid),
            self._ask(READ, connections, seconds),
            self._ask(KEPT, connections, seconds),
        )

    def _ask(self, path: str, connections: int, seconds: int) -> Load:
        return load(
            self._console.url + path, [self._cookie], connections, seconds, self._console.pid
        )


def _median(loads: list[Load]) -> Load:
    """The median of each figure, and the sum of the counts."""
    middle = {it.name: median(getattr(one, it.name) for one in loads) for it in fields(Load)}
    counts = {name: sum(getattr(one, name) for one in loads) for name in ("requests", "errors")}
    return Load(**middle | counts | {"connections": loads[0].connections})
