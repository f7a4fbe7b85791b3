"""How much is measured: all of it, a quick look, or just enough to see that the harness works."""

from __future__ import annotations

from dataclasses import dataclass

from bench.node import Account

MIB = 1 << 20
#: The admin whose pages `bench/routes.py` asks for.
ROUTES_MEMBER = "routes"
CONTENT_BYTES = 1231  # of an export for each content with its deal, about


@dataclass(frozen=True)
class Plan:
    seconds: int  # of each run of load
    rounds: int  # of runs; the median counts
    keys: tuple[int, ...]  # of an account; the curve at one connection
    keys_under_load: tuple[int, ...]
    connections: tuple[int, ...]  # with the smallest account; the curve
    connections_beside: tuple[int, ...]  # with those under load
    keys_profiled: tuple[int, ...]
    paints: int  # cold starts of a browser for each account under load
    exports: tuple[int, ...]  # MiB
    export_rounds: int
    members: int
    bursts: int
    slow: float = 0.5  # seconds of latency of the node that all members ask at once

    @property
    def smallest(self) -> int:
        return self.keys[0]

    def seconds_for(self, keys: int) -> int:
        """Long lists take longer; a run must hold many pages."""
        return self.seconds * (2 if keys >= 10_000 else 1)

    def connections_for(self, keys: int) -> tuple[int, ...]:
        if keys == self.smallest:
            return self.connections
        return self.connections_beside if keys in self.keys_under_load else (1,)

    def accounts(self) -> list[Account]:
        return [
            *(Account(of_keys(count), keys=count) for count in self.keys),
            *(
                Account(of_export(size), contents=size * MIB // CONTENT_BYTES)
                for size in self.exports
            ),
            *(Account(name) for name in self.member_names()),
            Account(ROUTES_MEMBER, keys=10),
        ]

    def member_names(self) -> list[str]:
        return [f"member-{number}" for number in range(self.members)]


def of_keys(count: int) -> str:
    """The member with so many keys."""
    return f"keys-{count}"


def of_export(size: int) -> str:
    """The member whose export has about so many MiB."""
    return f"export-{size}"


FULL = Plan(
    seconds=3,
    rounds=2,
    keys=(10, 100, 1_000, 10_000, 50_000),
    keys_under_load=(10, 1_000, 10_000),
    connections=(1, 2, 4, 8, 16, 32, 64),
    connections_beside=(1, 8, 32),
    keys_profiled=(10, 10_000),
    paints=7,
    exports=(1, 16, 256, 1_024, 4_096),
    export_rounds=3,
    members=200,
    bursts=5,
)
QUICK = Plan(
    seconds=1,
    rounds=1,
    keys=(10, 1_000, 10_000),
    keys_under_load=(10, 1_000, 10_000),
    connections=(1, 8, 32),
    connections_beside=(1, 8, 32),
    keys_profiled=(10,),
    paints=2,
    exports=(1, 256),
    export_rounds=1,
    members=200,
    bursts=1,
)
TINY = Plan(
    seconds=1,
    rounds=1,
    keys=(10, 60),
    keys_under_load=(10,),
    connections=(1, 2),
    connections_beside=(1,),
    keys_profiled=(10,),
    paints=1,
    exports=(1, 2),
    export_rounds=1,
    members=4,
    bursts=1,
    slow=0.1,
)
