"""The control path: faults and the request log over HTTP, for this machine only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from keys.sandbox.estuary.faults import Fault, FaultBook
from keys.sandbox.wire.parsing import Reply, Request

_PREFIX = "/sandbox/"


class Control:
    """Answers `/sandbox/faults` (GET, PUT, DELETE) and `/sandbox/requests` (GET)."""

    def __init__(self, faults: FaultBook, requests: Callable[[], Iterable[Request]]) -> None:
        self._faults = faults
        self._requests = requests

    def answer(self, request: Request) -> Reply | None:
        """The reply, or None when this is no control request or not from this machine.

        Pages in a browser (Origin) and clients behind a proxy are refused as well.
        """
        foreign = request.headers.keys() & {"origin", "x-forwarded-for", "forwarded"}
        if not request.path.startswith(_PREFIX) or foreign or not _is_loopback(request.peer):
            return None
        name, method = request.path.removeprefix(_PREFIX), request.method
        if name == "requests" and method == "GET":
            return _json([_line(logged) for logged in self._requests()])
        if name != "faults" or method not in {"GET", "PUT", "DELETE"}:
            return None
        if method == "DELETE":
            self._faults.clear()
        if method == "PUT":
            try:
                self._switch_on(json.loads(request.body))
            except (ValueError, TypeError, AttributeError) as error:
                return _json({"error": str(error)}, status=400)
        return _json(self._faults.to_json())

    def _switch_on(self, data: dict[str, dict[str, Any]]) -> None:
        wanted = [(endpoint, Fault.from_json(fault)) for endpoint, fault in data.items()]
        for endpoint, fault in wanted:
            self._faults.set(endpoint, fault)


def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _line(request: Request) -> dict[str, Any]:
    return {"method": request.method, "target": request.target, "status": request.status}


def _json(data: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(data, indent=2).encode() + b"\n")
