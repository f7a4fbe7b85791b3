"""Stands where the console would, and tells which headers came through."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

from tests.support.serving import Quiet, Serving


class Echo(Serving):
    def __init__(self) -> None:
        super().__init__(_Handler)


class _Handler(Quiet, BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "".join(f"{name}: {value}\n" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
