"""The way to an Estuary node: one `requests.Session` for each process and node.

The session sends nothing but what this module gives it: no cookie, no `.netrc`, no proxy or
certificate bundle from the environment, no redirect and no retry can change where a token goes.
`requests.Response` and `PreparedRequest` hold the token and do not leave this module.
"""

from __future__ import annotations

import os
import ssl
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast
from urllib.parse import unquote

import requests
from requests.adapters import BaseAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, ProxyManager
from urllib3.util import Url, parse_url

from . import redaction
from .deadlines import Deadline, HttpPool, TlsPool, bounded_by
from .types import NodeClock

READ_SIZE = 256 * 1024
_MAX_IDLE_CONNECTIONS = 128  # per node, as many as there may be threads
_MAX_ERROR_BODY = 64 * 1024
_MAX_DATE_LENGTH = 64
_LATEST_YEAR = 9000  # a later date leaves no room to add the lifetime of a key


@dataclass(frozen=True, slots=True)
class Origin:
    """The address of a node, and the HTTP proxy on the way there ("" for none).

    The proxy's address may hold a password.
    """

    scheme: str
    host: str
    port: int
    proxy: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The origin as a URL, without a slash at its end."""
        return f"{self.scheme}://{self.host}:{self.port}"


class NodeAdapter(BaseAdapter):
    """Sends prepared requests over the connections to one node, within the caller's deadline."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def send(
        self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any
    ) -> requests.Response:
        """Send a request once; the response has status, headers and the unread body alone."""
        raw = self._pool.urlopen(
            str(request.method),
            request.path_url,
            headers=cast(Mapping[str, str], request.headers),
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        response = requests.Response()
        response.status_code = raw.status
        response.raw = raw
        return response

    def close(self) -> None:
        """Close the connections that are idle."""
        self._pool.close()


class _NoCookies(requests.cookies.RequestsCookieJar):
    """Accepts no cookie, and reads none: the standard parser takes quadratic time."""

    def __init__(self) -> None:
        super().__init__(DefaultCookiePolicy(allowed_domains=[]))

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore the cookies of a response."""


class _NodeSession(requests.Session):
    """A session that can reach one node and nothing else."""

    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies = _NoCookies()
        self.adapters.clear()
        self.mount(f"{origin.url}/", NodeAdapter(_pool(origin)))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No response is a redirect: even to look at one, requests would read its whole body."""


def _pool(origin: Origin) -> HTTPConnectionPool:
    """The connections to a node.

    https is verified against the certificates of the machine (or SSL_CERT_FILE), so that a
    private authority installed there counts. requests itself would use certifi's.
    """
    host, port = origin.host, origin.port
    if origin.scheme == "http":
        return HttpPool(host, port, maxsize=_MAX_IDLE_CONNECTIONS)
    tls: dict[str, Any] = {
        "maxsize": _MAX_IDLE_CONNECTIONS,
        "ssl_context": ssl.create_default_context(),
    }
    if not (proxy := origin.proxy):
        return TlsPool(host, port, **tls)
    url = parse_url(proxy)
    manager = ProxyManager(url._replace(auth=None).url, proxy_headers=_proxy_headers(url))
    manager.pool_classes_by_scheme = {"https": TlsPool}
    return manager.connection_from_host(host, port, "https", pool_kwargs=tls)


def _proxy_headers(proxy: Url) -> dict[str, str]:
    """The headers for the proxy's CONNECT, which the node never gets."""
    if not proxy.auth:
        return {}
    credentials = b64encode(unquote(proxy.auth).encode()).decode()
    return {"Proxy-Authorization": f"Basic {credentials}"}


_sessions: dict[Origin, _NodeSession] = {}
_lock = threading.Lock()


def _session(origin: Origin) -> _NodeSession:
    with _lock:
        if origin not in _sessions:
            _sessions[origin] = _NodeSession(origin)
        return _sessions[origin]


def send(
    origin: Origin, method: str, target: str, headers: Mapping[str, str], deadline: Deadline
) -> BaseHTTPResponse:
    """Send one request, once, and read the head of its reply; the body is still to be read.

    Raises what requests, urllib3, http.client and sockets raise.
    """
    # Prepared here: `Session.request` costs 0.2 ms more (bench/call_cost.py), and would quote the
    # target a second time.
    request = requests.PreparedRequest()
    request.method, request.url = method, origin.url + target
    request.headers = requests.structures.CaseInsensitiveDict(headers)
    with bounded_by(deadline):
        raw: BaseHTTPResponse = (
            _session(origin)
            .send(request, stream=True, allow_redirects=False, proxies={}, timeout=deadline.left())
            .raw
        )
    return raw


def _forget_sessions() -> None:
    """A forked process must not use the connections of its parent."""
    global _lock  # the parent's may be held by a thread that does not exist here
    _lock = threading.Lock()
    _sessions.clear()


os.register_at_fork(after_in_child=_forget_sessions)
redaction.install()


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply; `body`, which may hold tokens, is empty when it was too large (not `is_whole`)."""

    status: int
    is_json: bool
    retry_after: str
    is_whole: bool
    body: bytes = field(repr=False)
    clock: NodeClock | None = None


def read_reply(response: BaseHTTPResponse, most: int) -> Reply:
    """Read at most `most` bytes of body (of an error 64 KiB), then free the connection.

    A larger body is dropped and the connection closed. Raises what urllib3, http.client and
    sockets raise.
    """
    if response.status != 200:
        most = min(most, _MAX_ERROR_BODY)
    clock = node_clock(response)
    pieces: list[bytes] = []
    announced = response.length_remaining or 0
    size = announced if announced > most else 0
    try:
        while size <= most and (piece := response.read(READ_SIZE, decode_content=False)):
            size += len(piece)
            pieces.append(piece)
    finally:
        if not response.closed:
            response.close()
    is_whole = size <= most
    return Reply(
        status=response.status,
        is_json=is_whole and is_json(response),
        retry_after=response.headers.get("Retry-After", "").strip(),
        body=b"".join(pieces) if is_whole else b"",
        is_whole=is_whole,
        clock=clock,
    )


def is_json(response: BaseHTTPResponse) -> bool:
    """Whether the reply says that it is JSON and not compressed."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return kind == "application/json" and encoding == "identity"


def node_clock(response: BaseHTTPResponse) -> NodeClock | None:
    """The node's clock by the `Date` header of a reply whose head has just arrived."""
    try:
        time = parsedate_to_datetime(response.headers.get("Date", "")[:_MAX_DATE_LENGTH])
        time = time if time.tzinfo else time.replace(tzinfo=UTC)  # `-0000` names no zone
        if time.year > _LATEST_YEAR:
            return None
        return NodeClock(time.astimezone(UTC), time - datetime.now(UTC))
    except (ValueError, OverflowError):
        return None
