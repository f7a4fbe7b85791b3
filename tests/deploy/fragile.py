"""A console that breaks connections off, as a killed worker process does."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import Quiet, Serving


class Fragile(Serving):
    """Answers with its name; the next `breaks` requests are cut off unanswered instead."""

    def __init__(self, name: str) -> None:
        super().__init__(type("Handler", (_Handler,), {"console": self}))
        self.name = name
        self.breaks = 0
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.lock = threading.Lock()

    def asked(self, method: str) -> int:
        """How many requests of members came: not those of a proxy's health checks."""
        return sum(one == method and path != "/readyz" for one, path, _ in self.requests)


class _Handler(Quiet, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    console: Any

    def do_GET(self) -> None:
        console = self.console
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_probe = self.path == "/readyz"
        with console.lock:
            console.requests.append((self.command, self.path, dict(self.headers.items())))
            is_cut = console.breaks > 0 and not is_probe
            console.breaks -= is_cut
        if is_cut:
            self.close_connection = True
            self.connection.close()
            return
        body = console.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815
