"""The connections to Estuary: one pool for all threads of a process, reused between requests.

urllib3 is used without a session on top of it: no cookie jar, no .netrc, no proxy from the
environment and no redirect can change where a token goes or replace it.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from . import redaction
from .deadlines import Patience, PatientSocket, connect

_KEPT = 128  # idle connections per node, as many as there may be threads
# Proxies and address translators forget idle connections after a minute or more, some without
# a word: a request on such a one would be lost. What is older than this is made anew.
_IDLE_SECONDS = 50.0
_patience: ContextVar[Patience] = ContextVar("estuary_patience")


class _PatientResponse(HTTPResponse):
    """Reads its status line, headers and body within the patience of its request."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        patient: Any = PatientSocket(sock, _patience.get())
        super().__init__(patient, *args, **kwargs)


class _Connection(HTTPConnection):
    """Connects within the patience, and notes when a request leaves."""

    response_class = _PatientResponse
    _last_sent = 0.0

    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port, _patience.get())

    def send(self, data: Any) -> None:
        """Send, connecting first if need be: from here on a request may have been carried out."""
        if self.sock is None:
            self.connect()
        self._last_sent = time.monotonic()
        _patience.get().sent = True
        super().send(data)

    @property
    def is_connected(self) -> bool:
        """Whether an idle connection can be used again."""
        return time.monotonic() - self._last_sent < _IDLE_SECONDS and super().is_connected


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS: the handshake lies before `send`."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_pools: dict[tuple[str, str, int], HTTPConnectionPool] = {}
_lock = threading.Lock()


def pool_for(scheme: str, host: str, port: int) -> HTTPConnectionPool:
    """The pool of that node, made at its first use.

    https is verified against the certificates of the machine (or SSL_CERT_FILE), so that a
    private authority installed there counts.
    """
    place = (scheme, host, port)
    with _lock:
        if place not in _pools:
            if scheme == "https":
                context = ssl.create_default_context()
                _pools[place] = _TlsPool(host, port, maxsize=_KEPT, ssl_context=context)
            else:
                _pools[place] = _Pool(host, port, maxsize=_KEPT)
        return _pools[place]


def send(
    pool: HTTPConnectionPool, method: str, target: str, headers: dict[str, str], patience: Patience
) -> BaseHTTPResponse:
    """Send one request, once, and read the head of its reply; the body is still to be read.

    Raises what urllib3, http.client and sockets raise.
    """
    reset = _patience.set(patience)
    try:
        return pool.urlopen(
            method,
            target,
            headers=headers,
            timeout=patience.left(),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
    finally:
        _patience.reset(reset)


def _start_anew() -> None:
    """A forked process must not speak on the connections of its parent."""
    global _lock  # the parent's may be held by a thread that does not exist here
    _lock = threading.Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_start_anew)
redaction.install()
