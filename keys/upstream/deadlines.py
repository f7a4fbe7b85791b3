"""Deadlines that hold for a whole exchange, however slowly its bytes drip in.

A socket timeout bounds each read, not their sum: a node that sends one byte now and then would
keep a page waiting for hours. So each read first sets the timeout to what is left.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

_BUFFER = 256 * 1024  # what one look at the socket may bring; a long export takes thousands


class Patience:
    """How long one exchange may still take, and whether its request has gone out.

    `until` and `connect_until` are moments of `time.monotonic()`. Once `idle` (seconds) is set,
    every read may wait that long and the end no longer counts: for long streams.
    """

    __slots__ = ("_connect_until", "_until", "idle", "sent")

    def __init__(self, until: float, connect_until: float | None = None) -> None:
        self._until = until
        self._connect_until = until if connect_until is None else min(until, connect_until)
        self.idle: float | None = None
        self.sent = False

    def left(self) -> float:
        """Seconds that the next read may wait; raises TimeoutError when there are none."""
        return _left(self._until) if self.idle is None else self.idle

    def left_to_connect(self) -> float:
        """Seconds in which a connection must stand; raises TimeoutError when there are none."""
        return _left(self._connect_until)


def _left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("No time is left.")
    return seconds


class _PatientReader(io.RawIOBase):
    """The reading end of a socket, each read bounded by what is left."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._patience = patience
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._patience.left()
        if left != self._sock.gettimeout():  # to set it asks the kernel each time
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class PatientSocket:
    """What `http.client` needs of a socket to read a reply: `makefile`."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._patience = patience

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A buffered reader that keeps to the deadline; closing it closes its half only."""
        return io.BufferedReader(_PatientReader(self._sock, self._patience), _BUFFER)


def connect(host: str, port: int, patience: Patience) -> socket.socket:
    """Connect to the first address of the host that answers, each given its share of the time.

    Raises OSError: gaierror when the name has no address, TimeoutError when time ran out, else
    what the last address answered.
    """
    problem: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    addresses = _look_up(host, port, patience)
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(patience.left_to_connect() / (len(addresses) - index))
            sock.connect(address)
            sock.settimeout(patience.left_to_connect())  # for the TLS handshake
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def _look_up(host: str, port: int, patience: Patience) -> list[Any]:
    """`getaddrinfo` within the time: it knows no timeout, so it runs beside us."""
    answer: SimpleQueue[list[Any] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError):  # a name that is too long is a UnicodeError
            answer.put(socket.gaierror(socket.EAI_NONAME, "no address"))

    threading.Thread(target=look_up, name="estuary-dns", daemon=True).start()
    try:
        found = answer.get(timeout=patience.left_to_connect())
    except Empty:
        raise TimeoutError("The name was not looked up in time.") from None
    if isinstance(found, OSError):
        raise found
    return found
