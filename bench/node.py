"""The sandbox node as a process: `python -m bench.node`, accounts on standard input.

It writes one line of JSON with its address and a token of each account, and ends when its
standard input does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from keys.sandbox import Sandbox
from keys.sandbox.estuary import handlers
from keys.sandbox.estuary.export import export_body
from keys.sandbox.seeding import seed_keys


@dataclass(frozen=True)
class Account:
    """An account at the node; one of its keys is the console's."""

    name: str
    keys: int = 1
    contents: int = 0


def order(
    accounts: list[Account],
    latency: float,
    rate_limit: float | None = None,
    export_rate: float | None = None,
) -> str:
    """The input of the process; equal accounts get equal tokens in every process.

    `export_rate` is the most bytes of an export that the node sends in a second.
    """
    found = [asdict(one) for one in accounts]
    said = {"latency": latency, "rate_limit": rate_limit, "export_rate": export_rate}
    return json.dumps(said | {"accounts": found})


def paced(body: Callable[..., Iterator[bytes]], rate: float) -> Callable[..., Iterator[bytes]]:
    """An export that comes no faster than this, in bytes a second."""

    def slowly(*arguments: Any, **options: Any) -> Iterator[bytes]:
        started, sent = time.monotonic(), 0
        for piece in body(*arguments, **options):
            sent += len(piece)
            time.sleep(max(0.0, started + sent / rate - time.monotonic()))
            yield piece

    return slowly


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    node = Sandbox(latency=wanted["latency"], rate_limit=wanted["rate_limit"])
    if rate := wanted["export_rate"]:
        vars(handlers)["export_body"] = paced(export_body, rate)
    tokens = {}
    for number, one in enumerate(wanted["accounts"]):
        user = node.add_user(one["name"], contents=one["contents"])
        tokens[one["name"]] = node.add_key(user, label="console", lifetime=None)
        seed_keys(node, user, one["keys"] - 1, seed=number)
    with node:
        print(json.dumps({"url": node.url, "tokens": tokens}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
