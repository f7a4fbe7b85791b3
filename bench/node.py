"""The sandbox node as a process: `python -m bench.node`, accounts on standard input.

It writes one line of JSON with its address and a token of each account, and ends when its
standard input does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from keys.sandbox import Sandbox
from keys.sandbox.seeding import seed_keys


@dataclass(frozen=True)
class Account:
    """An account at the node; one of its keys is the console's."""

    name: str
    keys: int = 1
    contents: int = 0


def order(accounts: list[Account], latency: float, rate_limit: float | None = None) -> str:
    """The input of the process; equal accounts get equal tokens in every process."""
    found = [asdict(one) for one in accounts]
    return json.dumps({"latency": latency, "rate_limit": rate_limit, "accounts": found})


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    node = Sandbox(latency=wanted["latency"], rate_limit=wanted["rate_limit"])
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
