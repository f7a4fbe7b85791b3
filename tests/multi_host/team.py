"""Two machines with the console, on PostgreSQL and Redis, behind nginx."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keys.sandbox import Sandbox
from tests.backing import Backing, PostgreSQL, Redis, running
from tests.deploy.shipped import nginx
from tests.support.console import Console
from tests.support.processes import free_port


@dataclass
class Team:
    front: str
    one: Console
    two: Console
    node: Sandbox
    database: Backing
    redis: Backing


@contextlib.contextmanager
def team(folder: Path, members: dict[str, int]) -> Iterator[Team]:
    """`members` maps names to numbers of keys."""
    port = free_port()
    front = f"http://localhost:{port}"
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(running(PostgreSQL))
        redis = stack.enter_context(running(Redis))
        node = stack.enter_context(Sandbox(rate_limit=None))
        shared = {
            "PUBLIC_URL": front,
            "SECRET_KEY": secrets.token_urlsafe(64),
            "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "TRUSTED_PROXIES": "127.0.0.1",
            "DATABASE_URL": database.url,
            "REDIS_URL": redis.url,
        }
        one = console_of(
            folder / "one", node, shared, [seat(node, *pair) for pair in members.items()]
        )
        two = console_of(folder / "two", node, shared, [])
        stack.enter_context(one)
        stack.enter_context(two)
        stack.enter_context(nginx(folder, port, one.port, two.port))
        yield Team(front, one, two, node, database, redis)


def seat(node: Sandbox, name: str, keys: int) -> dict[str, str]:
    account = node.add_user(name)
    token = node.add_key(account, label="console")
    for number in range(1, keys):
        node.add_key(account, label=f"key {number}")
    return {"name": name, "token": token}


def console_of(
    folder: Path, node: Sandbox, shared: dict[str, str], members: list[dict[str, str]]
) -> Console:
    folder.mkdir()
    return Console(folder, node, members, environment=shared)
