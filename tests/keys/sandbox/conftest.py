"""A node with one user and one full key, for tests that need no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User
from tests.keys.sandbox.clock import Clock
from tests.keys.sandbox.wire import Answer, ask


@dataclass
class Account:
    """A user of a running node, its full key, and the clock the node goes by."""

    node: Sandbox
    user: User
    token: str
    clock: Clock

    def ask(self, method: str, target: str, **headers: str) -> Answer:
        """One call with the account's key."""
        return ask(self.node, method, target, self.token, **headers)

    def labels(self) -> list[str]:
        """What the node lists, past all faults."""
        return [key.label for key in self.user.keys.values()]


@pytest.fixture
def account() -> Iterator[Account]:
    clock = Clock()
    with Sandbox(clock=clock.seconds, wall=clock.nanoseconds, rate_limit=None) as node:
        user = node.add_user("alice", contents=3)
        yield Account(node, user, node.add_key(user, label="main"), clock)
