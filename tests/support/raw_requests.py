"""Requests with exactly the given headers, repeated ones included."""

from __future__ import annotations

import http.client
import re
import socket
from pathlib import Path

Headers = list[tuple[str, str]]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def reason(self) -> str:
        """The code on a page that refuses."""
        found = re.search(r"Code: <code>([\w-]+)</code>", self.text)
        return found[1] if found else ""

    @property
    def member(self) -> str:
        found = re.search(r"Signed in as <bdi>([^<]*)</bdi>(, admin)?", self.text)
        return "".join(found.groups("")) if found else ""


def ask(to: int | Path, path: str = "/account/", headers: Headers | None = None) -> Answer:
    """GET from a port of this machine, or from a unix socket."""
    connection = (
        UnixConnection(to)
        if isinstance(to, Path)
        else http.client.HTTPConnection("127.0.0.1", to, timeout=10)
    )
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", "localhost")
        for name, value in headers or []:
            connection.putheader(name, value.encode())
        connection.endheaders()
        return Answer(connection.getresponse())
    finally:
        connection.close()
