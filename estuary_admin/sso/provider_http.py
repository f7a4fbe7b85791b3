"""HTTP to providers and key servers: one deadline and one size limit for each exchange.

A socket timeout limits a single read, so a server that sends one byte per second could keep a
thread busy for hours. Here each read may take only the time that is left for the whole exchange.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestFailed
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

MAX_RESPONSE_BYTES = 512 * 1024
EXCHANGE_SECONDS = 10.0

_deadline: ContextVar[float] = ContextVar("provider_deadline")


def open_session(seconds: float | None = None) -> Session:
    """A session without redirects, and without the proxies and passwords of the environment."""
    session = Session()
    session.trust_env = False
    session.max_redirects = 0
    session.headers["Accept-Encoding"] = "identity"  # so that the limit counts all bytes
    adapter = _BoundedAdapter(seconds or EXCHANGE_SECONDS)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def fetch_json(url: str, seconds: float | None = None) -> dict[str, Any]:
    """Return a JSON object; raises RequestException or ValueError. A redirect is an error."""
    with open_session(seconds) as session:
        response = session.get(url, allow_redirects=False)
    if response.status_code != 200:
        raise ValueError(f"The status is {response.status_code}, not 200.")
    try:
        document = response.json()
    except RecursionError:
        raise ValueError("The document is nested too deeply.") from None
    if not isinstance(document, dict):
        raise ValueError("The document is not an object.")  # noqa: TRY004 - one error for callers
    return document


class _BoundedAdapter(HTTPAdapter):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        # The machine's certificates, so that a private authority installed there counts.
        super().init_poolmanager(*args, **kwargs, ssl_context=ssl.create_default_context())
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, *_: Any) -> None:
        """Do not add the certificates that requests comes with."""
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, request: PreparedRequest, *_: Any, **kwargs: Any) -> Response:
        """Send the request and read the whole response; raises ConnectionError at a limit."""
        reset = _deadline.set(time.monotonic() + self._seconds)
        kwargs |= {"stream": True, "timeout": self._seconds}
        try:
            response = super().send(request, **kwargs)
            try:
                body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=False)
            finally:
                response.close()
        except (HTTPError, OSError):
            # Not chained: the message contains the address.
            raise RequestFailed("The exchange failed or took too long.") from None
        finally:
            _deadline.reset(reset)
        if len(body) > MAX_RESPONSE_BYTES:
            raise RequestFailed("The response is too large.")
        if response.status_code >= 500:
            raise RequestFailed("The server failed.")
        response.raw = io.BytesIO(body)
        return response


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, each time with the time that is left as timeout."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._until = _deadline.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("The exchange took too long.")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """The part of a socket that `http.client` needs to read a response."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock))


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        bounded: Any = _DeadlineSocket(sock)
        super().__init__(bounded, *args, **kwargs)


class _Connection(HTTPConnection):
    response_class = _DeadlineResponse


class _TlsConnection(HTTPSConnection):
    response_class = _DeadlineResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
