"""What one call to Estuary costs in CPU time: `python -m bench.call_cost [CALLS]`.

It asks a local node for its stats, by way of the console's client, of requests as it comes, and
of urllib3 alone, in turns. Only the CPU time of this process counts, not that of the node.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import urllib3
from requests import Request, Session

from bench.node import Account, order
from keys.upstream import EstuaryClient

ROUNDS = 7


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with subprocess.Popen(
        [sys.executable, "-m", "bench.node"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as node:
        assert node.stdin
        assert node.stdout
        node.stdin.write(order([Account("alice")], latency=0) + "\n")
        node.stdin.flush()
        told: dict[str, Any] = json.loads(node.stdout.readline())
        try:
            measure(told["url"], told["tokens"]["alice"], calls)
        finally:
            node.stdin.close()


def measure(url: str, token: str, calls: int) -> None:
    ways = ways_to_call(url, token)
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, call in ways.items():
            started = time.process_time()
            for _ in range(calls):
                call()
            costs[name].append((time.process_time() - started) / calls * 1e6)
    for name, cost in costs.items():
        print(f"{name:26} {statistics.median(cost):6.0f} µs of CPU a call (least {min(cost):.0f})")


def ways_to_call(url: str, token: str) -> dict[str, Callable[[], object]]:
    address, headers = f"{url}/user/stats", {"Authorization": f"Bearer {token}"}
    session, pool = Session(), urllib3.PoolManager()
    session.trust_env = False
    prepared = session.prepare_request(Request("GET", address, headers=headers))
    return {
        "console": lambda: EstuaryClient(url, token).stats(),
        "requests, Session.request": lambda: session.get(address, headers=headers).content,
        "requests, Session.send": lambda: session.send(prepared, proxies={}).content,
        "urllib3": lambda: pool.request("GET", address, headers=headers).data,
    }


if __name__ == "__main__":
    main()
