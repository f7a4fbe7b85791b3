from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from keys.upstream import EstuaryClient, KeySpec, Permission, calls, pool
from tests.keys.upstream.server import Action, ScriptedNode, reply

TOKEN = "EST11111111-1111-4111-8111-111111111111ARY"
TOKEN_HASH = "CbJQnRSJvzPrqKouIJWq4XNVgWG4WvI85QEvJ9BBFxY"
OLD_TOKEN = "ESTa8adb52c-441d-4d44-ba40-60d3ed9904c1ARY"
EXPIRY = "2126-10-31T18:13:57.642972Z"
ROW = {"token": "", "tokenHash": TOKEN_HASH, "label": "ci", "expiry": EXPIRY, "isSession": False}
OLD_ROW = {"token": OLD_TOKEN, "tokenHash": "", "label": "", "expiry": EXPIRY, "isSession": False}
CREATED = {"token": TOKEN, "tokenHash": TOKEN_HASH, "label": "ci", "expiry": EXPIRY}
DONE = reply(200, b"", {"Content-Type": ""})
STATS = {"totalSize": 84190, "numPins": 5}
SPEC = KeySpec("ci", timedelta(days=1), Permission.UPLOAD)
NodeFactory = Callable[..., ScriptedNode]


@pytest.fixture(autouse=True)
def _close_connections() -> Iterator[None]:
    """Every test has nodes of its own, so what is kept for the next request is of no use."""
    yield
    for kept in pool._pools.values():
        kept.close()
    pool._pools.clear()


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_PAUSES", (0.01, 0.01))


@pytest.fixture
def node() -> Iterator[NodeFactory]:
    """Starts nodes that answer with the given actions, and stops them in the end."""
    with ExitStack() as stack:

        def start(*actions: Action, **options: object) -> ScriptedNode:
            return stack.enter_context(ScriptedNode(*actions, **options))  # type: ignore[arg-type]

        yield start


def client_of(node: ScriptedNode, timeout: float = 5.0) -> EstuaryClient:
    """A client with a token that could be real."""
    return EstuaryClient(node.url, TOKEN, timeout)
