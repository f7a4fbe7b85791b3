"""How much is measured: everything, a rough run, or just enough to test the bench."""

from __future__ import annotations

from dataclasses import dataclass

from bench.node import Account

MIB = 1 << 20
#: The admin whose pages `bench/routes.py` asks for.
ROUTES_MEMBER = "routes"
#: The member whose list the plain page shows, and the name of the cookie for it.
PLAIN_MEMBER, PLAIN_SESSION = "keys-10", "plain"
CONTENT_BYTES = 1231  # of an export, for each content with its deal, roughly


@dataclass(frozen=True)
class Plan:
    seconds: int  # of each load run
    rounds: int  # of runs; figures are their medians
    keys: tuple[int, ...]  # of an account, measured with one connection
    keys_under_load: tuple[int, ...]
    connections: tuple[int, ...]  # with the smallest account
    connections_beside: tuple[int, ...]  # with the accounts under load
    keys_profiled: tuple[int, ...]
    paints: int  # cold browser starts for each account under load
    exports: tuple[int, ...]  # MiB
    export_rounds: int
    members: int
    bursts: int
    slow: float = 0.5  # latency in seconds of the slow node

    @property
    def smallest(self) -> int:
        return self.keys[0]

    def seconds_for(self, keys: int) -> int:
        """A run must contain many pages, and long lists take longer."""
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
    """The member with `count` keys."""
    return f"keys-{count}"


def of_export(size: int) -> str:
    """The member whose export has about `size` MiB."""
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
