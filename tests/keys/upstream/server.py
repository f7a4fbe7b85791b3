"""A node that says, byte for byte, what a test tells it to, on a real socket."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

Action = bytes | Callable[[socket.socket], None]
JSON = "application/json; charset=UTF-8"


@dataclass(frozen=True)
class Request:
    """A request as it came: its line, its headers by lower-case name, and its connection."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int


class ScriptedNode:
    """Answers each request with the next action; without one it closes the connection.

    An action is the bytes of a reply, or a function that is given the socket and must return;
    when it returns with the socket closed, the connection is over.
    """

    def __init__(self, *actions: Action, tls: ssl.SSLContext | None = None) -> None:
        self.actions = deque(actions)
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        # On Linux a closed listener does not wake up who waits in accept: a shutdown does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            close_at_once(sock)
        for thread in self._threads:
            thread.join(5)

    def hang(self, _sock: socket.socket) -> None:
        """An action: say nothing (more) until the test is over."""
        self._stopped.wait(30)

    def drip(self, data: bytes, pause: float = 0.05) -> Action:
        """An action: send one byte now and then."""

        def action(sock: socket.socket) -> None:
            for byte in data:
                sock.sendall(bytes([byte]))
                if self._stopped.wait(pause):
                    return

        return action

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError):
            if self._tls:
                sock.settimeout(5)
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            sock.settimeout(None)
            while sock.fileno() >= 0 and (head := _read_head(sock)):
                self.requests.append(_parsed(head, number))
                action = self.actions.popleft() if self.actions else close_at_once
                sock.sendall(action) if isinstance(action, bytes) else action(sock)
        close_at_once(sock)


def _read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _parsed(head: bytes, number: int) -> Request:
    line, *rest = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = line.split(" ")
    pairs = (header.split(": ", 1) for header in rest)
    return Request(method, target, {name.lower(): value for name, value in pairs}, number)


def close_at_once(sock: socket.socket) -> None:
    """An action: end the connection without an answer."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def reset(sock: socket.socket) -> None:
    """An action: break the connection off with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def then(*parts: Action) -> Action:
    """An action: one after the other."""

    def action(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part) if isinstance(part, bytes) else part(sock)

    return action


def reply(
    status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None, kind: str = JSON
) -> bytes:
    """A reply with Content-Length, unless the headers say otherwise."""
    lines = {"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {})
    if "Transfer-Encoding" in lines:
        del lines["Content-Length"]
        body = chunked(body)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def json_reply(data: Any, status: int = 200, **headers: str) -> bytes:
    """A reply with a JSON body, compact and with a line feed at its end, as Go writes it."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(status, body.encode(), named)


def chunked(body: bytes, size: int = 1000) -> bytes:
    """A body in chunks, with its end."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def recorded(case: dict[str, Any]) -> bytes:
    """The reply of a recorded case, as it was on the wire."""
    response = case["response"]
    headers = dict(response["headers"])
    return reply(
        response["status"], response["body"].encode(), headers, headers.get("Content-Type", "")
    )
