"""HTTP at the level of bytes, so that tests see what went over the wire."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from keys.sandbox import Sandbox


@dataclass
class Answer:
    """A reply as it arrived: status line, header lines in order, body without its chunks."""

    raw: bytes
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """All values of a header with exactly this name, joined by commas; None without one."""
        values = [value for sent, value in self.headers if sent == name]
        return ", ".join(values) if values else None


def connect(node: Sandbox, timeout: float = 10.0) -> socket.socket:
    """A bare connection to the node."""
    parts = urlsplit(node.url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout)


def exchange(node: Sandbox, request: bytes) -> Answer:
    """Send bytes on a connection of their own and read until the node closes it."""
    with connect(node) as sock:
        sock.sendall(request)
        return parse(b"".join(iter(lambda: sock.recv(1 << 20), b"")))


def ask(
    node: Sandbox,
    method: str,
    target: str,
    token: str = "",
    body: str | None = None,
    **headers: str,
) -> Answer:
    """One call with a token; header names are given with underscores."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        lines["Authorization"] = f"Bearer {token}"
    return exchange(node, render(method, target, list(lines.items()), body))


def render(method: str, target: str, headers: list[tuple[str, str]], body: str | None) -> bytes:
    """A request that asks for the connection to be closed."""
    lines = [f"{method} {target} HTTP/1.1", "Host: node", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    payload = (body or "").encode()
    if body is not None:
        lines.append(f"Content-Length: {len(payload)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + payload


def parse(raw: bytes) -> Answer:
    """Take an answer apart."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (f.partition(":") for f in fields)]
    if ("Transfer-Encoding", "chunked") in headers:
        body = _unchunked(body)
    return Answer(raw, int(line.split(" ")[1]), headers, body)


def _unchunked(body: bytes) -> bytes:
    pieces, at = [], 0
    while length := int(body[at : (line_end := body.index(b"\r\n", at))], 16):
        start, end = line_end + 2, line_end + 2 + length
        pieces.append(body[start:end])
        assert body[end : end + 2] == b"\r\n"
        at = end + 2
    assert body[at:] == b"0\r\n\r\n"
    return b"".join(pieces)
