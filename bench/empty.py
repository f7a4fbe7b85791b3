"""A page with one row: what a new browser needs for any page."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = (
    b"<!doctype html><title>-</title><table id=key-list><tbody><tr><td>-</td></tr></tbody></table>"
)
OPENER = "Cross-Origin-Opener-Policy"
#: Left out in one of the runs: this header makes browsers start another process.
WITHOUT_OPENER_POLICY = "without-opener-policy"
OTHERS = ("Content-Security-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy")


@contextmanager
def empty_page(console: str) -> Iterator[str]:
    """The address of such a page, with the headers of the console's pages."""
    with urllib.request.urlopen(f"{console}/accounts/login/") as answer:
        headers = {name: answer.headers[name] for name in (OPENER, *OTHERS)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in headers.items():
                if name != OPENER or WITHOUT_OPENER_POLICY not in self.path:
                    self.send_header(name, value)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
