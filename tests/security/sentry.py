"""An HTTP server in place of Sentry, which keeps everything it is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import brotli

from tests.support.serving import Quiet, Serving

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


class Sentry(Serving):
    """Starts on entering, ends on leaving."""

    def __init__(self) -> None:
        self.received: list[str] = []  # heads and bodies, as they came, but unpacked
        received = self.received

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = UNPACK[self.headers.get("Content-Encoding", "")](body)
                received.append(f"{self.path}\n{self.headers}\n\n{body.decode()}")
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        super().__init__(Handler)
        self.dsn = f"http://0123456789abcdef@127.0.0.1:{self.port}/7"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The reports in the envelopes."""
        lines = [line for one in self.received for line in one.partition("\n\n")[2].splitlines()]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [one for one in found if "exception" in one or "logentry" in one]
