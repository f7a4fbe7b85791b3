"""The container's health check: asks /healthz at BIND, whatever proxy the environment names."""

from __future__ import annotations

import os
import socket
import sys
from http.client import HTTPConnection

from gunicorn.util import parse_address


class UnixConnection(HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def connection_to(bind: str) -> HTTPConnection:
    """A connection to the address that gunicorn binds to."""
    address = parse_address(bind.split(",")[0].strip())  # gunicorn takes a list
    if isinstance(address, str):
        return UnixConnection(address, timeout=2)
    host, port = address
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    return HTTPConnection(everywhere.get(host, host), port, timeout=2)


def main() -> int:
    connection = connection_to(os.environ.get("BIND", "127.0.0.1:8000"))
    connection.request("GET", "/healthz", headers={"Host": "localhost"})
    return int(connection.getresponse().status != 200)


if __name__ == "__main__":
    sys.exit(main())
