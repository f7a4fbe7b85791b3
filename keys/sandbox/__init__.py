"""A stand-in Estuary node on a real socket, for the demo and the tests.

    with Sandbox(generation="legacy") as node:
        token = node.add_key(node.add_user("alice", contents=3), label="ci upload")
        node.set_fault("list", Fault("429", retry_after=5, times=1))
        ...  # speak HTTP with node.url; node.requests tells what arrived

It answers `/user/api-keys`, `/user/stats`, `/user/export`, `/viewer` and `/health` byte for byte
as Estuary does on PostgreSQL, in three generations (generations.py); tests/contract holds the
recordings that prove it. It is for use on one machine: it listens on loopback by default,
and holds its tokens in clear, in memory and in the state file.

While it runs, faults (faults.py lists them) are switched by a control path. It answers only
clients on this machine, except browsers and proxies:

    curl -X PUT http://127.0.0.1:3004/sandbox/faults -d '{"list": {"kind": "delay", "seconds": 3}}'
    curl -X DELETE http://127.0.0.1:3004/sandbox/faults
    curl http://127.0.0.1:3004/sandbox/requests

Where it deviates from Estuary on purpose:

* Exports of more than 65,535 contents work; `truncate_exports` brings the true failure back.
* An export begins at once and comes in many chunks in constant memory; Estuary builds all of it
  first (a `delay` fault looks like that) and sends one chunk. It stops when the client leaves.
* Keys are listed oldest first; Estuary promises no order.
* Contents are a recipe and never change; deals come one for each, of explicit contents none.
* `/login`, `/register` and all other routes are left out: they are 404 here.
* Its time zone is UTC. `/viewer` always names the same settings.
* A request body over 1 MiB is refused with 400, and `Expect: 100-continue` is not answered.
* A 405 always allows `OPTIONS, GET`, which is right for every path but `/user/api-keys`.
* The text of the 500 for stats beyond 2^63-1 is not recorded; only the status is Estuary's.
"""

from __future__ import annotations

from keys.sandbox.estuary.contents import Content, Holdings
from keys.sandbox.estuary.faults import Fault
from keys.sandbox.node import Sandbox

__all__ = ["Content", "Fault", "Holdings", "Sandbox"]
