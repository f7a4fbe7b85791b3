"""A server that sends its response byte by byte and never finishes."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler

from tests.support.serving import Quiet, Serving

START = {
    "status": b"",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "body": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"keys": [',
}


class SlowServer(Serving):
    """Sends `part` (status line, headers or body) slowly, until the client hangs up."""

    def __init__(self, part: str) -> None:
        self.is_hung_up = threading.Event()
        outer = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    self.wfile.write(START[part])
                    while not outer.is_hung_up.wait(0.01):
                        self.wfile.write(b" " if part == "body" else b"H")
                except OSError:
                    outer.is_hung_up.set()

        super().__init__(Handler)
        self.url = f"http://127.0.0.1:{self.port}"

    def __exit__(self, *error: object) -> None:
        self.is_hung_up.set()
        super().__exit__(*error)
