"""One request, one bounded reply: where it goes and what it carries.

The target of a request may hold a token: it is a Secret in every frame that a traceback shows.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from urllib3 import BaseHTTPResponse
from urllib3.util import parse_url

from .deadlines import Patience
from .diagnosis import attempt
from .errors import TokenRejected, UnexpectedReply
from .pool import pool_for, send
from .redaction import Secret
from .types import NodeClock

READ = 256 * 1024
_REFUSAL_MOST = 64 * 1024
_LONGEST_DATE = 64
_is_sendable = re.compile(r"[!-~]{1,4096}").fullmatch


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply; `body`, which may hold tokens, is empty when it was too large (not `is_whole`)."""

    status: int
    is_json: bool
    retry_after: str
    is_whole: bool
    body: bytes = field(repr=False)
    clock: NodeClock | None = None


class Node:
    """An Estuary node and the token to speak to it with.

    Raises ValueError for a base URL that is not plain http(s)://host[:port][/prefix].
    """

    def __init__(self, base_url: str, token: str, forwarded_for: str = "") -> None:
        url = parse_url(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("The address of Estuary must begin with http:// or https://.")
        if url.auth or url.query or url.fragment:
            raise ValueError("The address of Estuary must hold no user, query or fragment.")
        self._place = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        self._prefix = "/".join(["", *filter(None, (url.path or "").split("/"))])
        self._token = Secret(token)
        self._forwarded_for = _address(forwarded_for)

    def fetch(self, method: str, target: Secret, patience: Patience, most: int) -> Reply:
        """Send one request and read its reply, of which the body has at most `most` bytes.

        `target` is the path below the base URL, with its query.
        """
        # In one go, so that no frame of a traceback holds the response: it knows the address.
        reply = attempt(
            lambda: read_reply(self.send(method, target, patience), most), method, patience
        )
        if reply.status == 200 and not reply.is_whole:
            raise UnexpectedReply("too-large", maybe_carried_out=None if method == "GET" else True)
        return reply

    def send(self, method: str, target: Secret, patience: Patience) -> BaseHTTPResponse:
        """Send one request and return its reply with the body still unread: for `attempt`.

        Raises TokenRejected, without sending, for a token that no header can carry: Estuary would
        answer 500 for it. Else raises what urllib3, http.client and sockets raise.
        """
        if not _is_sendable(self._token.reveal()):
            raise TokenRejected(maybe_carried_out=None if method == "GET" else False)
        headers = {
            "Authorization": f"Bearer {self._token.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "estuary-admin",
        }
        if self._forwarded_for:
            headers["X-Forwarded-For"] = self._forwarded_for
        path = self._prefix + target.reveal()
        return send(pool_for(*self._place), method, path, headers, patience)


def _address(text: str) -> str:
    """An IP address as it may stand in a header, or "" for anything else."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return ""


def is_json(response: BaseHTTPResponse) -> bool:
    """Whether the reply says that it is JSON, and as it is, not compressed."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return kind == "application/json" and encoding == "identity"


def read_reply(response: BaseHTTPResponse, most: int) -> Reply:
    """Read at most `most` bytes of body (of an error 64 KiB), then free the connection.

    A larger body is dropped and the connection closed. Raises what urllib3, http.client and
    sockets raise.
    """
    if response.status != 200:
        most = min(most, _REFUSAL_MOST)
    clock = node_clock(response)
    pieces: list[bytes] = []
    announced = response.length_remaining or 0
    size = announced if announced > most else 0
    try:
        while size <= most and (piece := response.read(READ, decode_content=False)):
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


def node_clock(response: BaseHTTPResponse) -> NodeClock | None:
    """The node's clock by the `Date` header of a reply whose head has just arrived."""
    try:
        time = parsedate_to_datetime(response.headers.get("Date", "")[:_LONGEST_DATE])
        time = time if time.tzinfo else time.replace(tzinfo=UTC)  # `-0000` names no zone
        return NodeClock(time.astimezone(UTC), time - datetime.now(UTC))
    except (ValueError, OverflowError):
        return None
