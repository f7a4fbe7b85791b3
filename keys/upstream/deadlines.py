"""Deadlines that hold for a whole exchange, however slowly its bytes arrive.

A socket timeout bounds each read, not their sum: a node that sends one byte now and then would
keep a page waiting for hours. So each read first sets the timeout to what is left.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_READ_BUFFER = 256 * 1024  # bytes for one read of the socket; a long export needs thousands
# Proxies and address translators drop idle connections after a minute or more, some silently, and
# a request on such a connection would be lost. An older one is replaced.
_MAX_IDLE_SECONDS = 50.0


class ProxyFailed(OSError):
    """The proxy in front of the node could not be reached, or refused the connection."""


class Deadline:
    """How long one exchange may still take, and whether its request was sent.

    `until` and `connect_until` are times of `time.monotonic()`. Once `idle` (seconds) is set,
    every read may wait that long and `until` no longer counts: for long streams.
    """

    __slots__ = ("_connect_until", "_until", "idle", "is_sent")

    def __init__(self, until: float, connect_until: float | None = None) -> None:
        self._until = until
        self._connect_until = until if connect_until is None else min(until, connect_until)
        self.idle: float | None = None
        self.is_sent = False

    def left(self) -> float:
        """Seconds that the next read may wait; raises TimeoutError when no time is left."""
        return _left(self._until) if self.idle is None else self.idle

    def left_to_connect(self) -> float:
        """Seconds left to connect; raises TimeoutError when no time is left."""
        return _left(self._connect_until)


def _left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("No time is left.")
    return seconds


_deadline: ContextVar[Deadline] = ContextVar("estuary_deadline")


@contextmanager
def bounded_by(deadline: Deadline) -> Iterator[None]:
    """Bound the connections that this thread uses, by way of a context variable.

    urllib3 and requests make connections and responses themselves and pass nothing on to them.
    """
    reset = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(reset)


class _DeadlineReader(io.RawIOBase):
    """The reading end of a socket, each read bounded by what is left."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left()
        if left != self._sock.gettimeout():  # setting it costs a system call
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """The part of a socket that `http.client` reads a response with: `makefile`."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A buffered reader that keeps to the deadline; closing it leaves the socket open."""
        return io.BufferedReader(_DeadlineReader(self._sock, self._deadline), _READ_BUFFER)


class _DeadlineResponse(HTTPResponse):
    """Reads its status line, headers and body within the deadline of its request."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        bounded: Any = _DeadlineSocket(sock, _deadline.get())
        super().__init__(bounded, *args, **kwargs)


class _Connection(HTTPConnection):
    """Connects within the deadline, and notes when a request is sent."""

    response_class = _DeadlineResponse
    _last_sent = 0.0

    def _new_conn(self) -> socket.socket:
        try:
            return connect(self._dns_host, self.port, _deadline.get())
        except TimeoutError:
            raise
        except OSError:
            if self.proxy is None:
                raise
        raise ProxyFailed

    def send(self, data: Any) -> None:
        """Send, connecting first if need be: from here on a request may have been carried out."""
        if self.sock is None:
            self.connect()
        self._last_sent = time.monotonic()
        _deadline.get().is_sent = True
        super().send(data)

    @property
    def is_connected(self) -> bool:
        """Whether an idle connection can be used again."""
        is_recent = time.monotonic() - self._last_sent < _MAX_IDLE_SECONDS
        return is_recent and super().is_connected


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS. The handshake is over before `send`."""

    def _tunnel(self) -> None:
        """Ask the proxy for a connection to the node; this carries no token and changes nothing."""
        try:
            super()._tunnel()
        except TimeoutError:
            raise
        except OSError:
            pass
        else:
            return
        finally:
            _deadline.get().is_sent = False
        raise ProxyFailed


class HttpPool(HTTPConnectionPool):
    """A pool of connections that keep to deadlines."""

    ConnectionCls = _Connection


class TlsPool(HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _TlsConnection


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address of the host that answers, each given its share of the time.

    Raises OSError: gaierror when the name has no address, TimeoutError when time ran out, else
    what the last address answered.
    """
    problem: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    addresses = look_up(host, port, deadline)
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(deadline.left_to_connect() / (len(addresses) - index))
            sock.connect(address)
            sock.settimeout(deadline.left_to_connect())  # for the TLS handshake
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def look_up(host: str, port: int, deadline: Deadline) -> list[Any]:
    """`getaddrinfo` within the deadline: it has no timeout, so it runs in a thread of its own."""
    answer: SimpleQueue[list[Any] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError):  # a name that is too long is a UnicodeError
            answer.put(socket.gaierror(socket.EAI_NONAME, "no address"))

    threading.Thread(target=look_up, name="estuary-dns", daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left_to_connect())
    except Empty:
        raise TimeoutError("The name was not looked up in time.") from None
    if isinstance(found, OSError):
        raise found
    return found
