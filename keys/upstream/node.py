"""One Estuary node for one member: where it is, the token, and the time that all calls share.

The target of a request may hold a token, so it travels as a Secret and no frame shows it.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeVar, cast

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from .adapter import Origin, Reply, read_reply, send
from .deadlines import Deadline
from .error_mapping import attempt, refusal
from .errors import (
    Problem,
    RateLimited,
    TokenRejected,
    UnexpectedReply,
    UpstreamError,
    UpstreamFailed,
    UpstreamUnavailable,
)
from .export import Export, begin
from .observers import Endpoint, Exchange, observed
from .redaction import Secret
from .types import NodeClock

T = TypeVar("T")
Read = Callable[[Reply], T | Problem]  # what a 200 means, or what is wrong with it

_RETRY_PAUSES = (0.1, 0.4)  # seconds before the first and second retry of a GET
_is_sendable = re.compile(r"[!-~]{1,4096}").fullmatch


class Node:
    """A node and the token to speak to it with.

    All calls together take at most `timeout` seconds, counted from the first. Raises ValueError
    for a base URL that is not plain http(s)://host[:port][/prefix], and for a `proxy` together
    with an http node: a proxy would see the token.
    """

    def __init__(
        self, base_url: str, token: str, timeout: float, forwarded_for: str = "", proxy: str = ""
    ) -> None:
        self._origin, self._prefix = _origin_and_prefix(base_url, proxy)
        self._token = Secret(token)
        self._forwarded_for = _ip_address(forwarded_for)
        self._timeout = timeout
        self._end: float | None = None

    def get(self, endpoint: Endpoint, path: str, most: int, read: Read[T]) -> T:
        """GET, with two more tries after a broken connection, 429 with a time, 502, 503, 504."""
        self._check_token(maybe_carried_out=None)
        pauses = iter(_RETRY_PAUSES)
        while True:
            try:
                with observed(endpoint) as exchange:
                    return self._get_once(path, most, read, exchange)
            except (UpstreamUnavailable, UpstreamFailed, RateLimited) as error:
                failure = error
            wait = _wait_before_retry(failure, next(pauses, None))
            if wait is None or time.monotonic() + wait >= self._ends():
                raise failure
            time.sleep(wait)

    def _get_once(self, path: str, most: int, read: Read[T], exchange: Exchange) -> T:
        reply = self._fetch("GET", Secret(path), Deadline(self._ends()), most)
        exchange.clock = reply.clock
        if reply.status != 200:
            raise refusal(reply, is_change=False)
        return _understood(reply, read, is_change=False)

    def change(
        self, endpoint: Endpoint, method: str, target: Secret, most: int, read: Read[T]
    ) -> T:
        """POST or DELETE, once."""
        self._check_token(maybe_carried_out=False)
        with observed(endpoint) as exchange:
            reply = self._fetch(method, target, Deadline(self._change_ends()), most)
            exchange.clock = reply.clock
            if reply.status != 200:
                raise refusal(reply, is_change=True)
            return _understood(reply, read, is_change=True)

    def may_change(self) -> bool:
        """Whether time is left for a change, and for a list after it."""
        return self._change_ends() > time.monotonic()

    def open_export(self, path: str, first_byte: float, idle: float) -> Export:
        """GET a long stream, once, with time limits of its own (seconds)."""
        self._check_token(maybe_carried_out=None)
        now = time.monotonic()
        deadline = Deadline(now + first_byte, connect_until=now + self._timeout)
        with observed(Endpoint.EXPORT) as exchange:
            begun = attempt(
                lambda: begin(self._send("GET", Secret(path), deadline), deadline, idle),
                "GET",
                deadline,
            )
            if isinstance(begun, str):
                raise UnexpectedReply(begun)
            exchange.clock = begun.clock
            if isinstance(begun, Export):
                return begun
            raise refusal(begun, is_change=False)

    def _check_token(self, *, maybe_carried_out: bool | None) -> None:
        """Refuse a token that no header can carry, for which Estuary would answer 500.

        Nothing is sent, so observers are not told.
        """
        if not _is_sendable(self._token.reveal()):
            raise TokenRejected(maybe_carried_out=maybe_carried_out)

    def _ends(self) -> float:
        """The moment by which all calls must have ended; the first call sets it."""
        if self._end is None:
            self._end = time.monotonic() + self._timeout
        return self._end

    def _change_ends(self) -> float:
        """The moment by which a change that begins now must have ended."""
        return min(self._ends() - self._timeout / 4, time.monotonic() + self._timeout * 0.6)

    def _fetch(self, method: str, target: Secret, deadline: Deadline, most: int) -> Reply:
        """Send one request and read its reply, with at most `most` bytes of body.

        `target` is the path below the base URL, with its query.
        """
        # One expression, so that no frame of a traceback holds the response: it knows the target.
        reply = attempt(
            lambda: read_reply(self._send(method, target, deadline), most), method, deadline
        )
        if reply.status == 200 and not reply.is_whole:
            raise UnexpectedReply("too-large", maybe_carried_out=None if method == "GET" else True)
        return reply

    def _send(self, method: str, target: Secret, deadline: Deadline) -> BaseHTTPResponse:
        """Send one request and return its reply with the body unread; to be called by `attempt`.

        Raises what requests, urllib3, http.client and sockets raise.
        """
        headers = {
            "Authorization": f"Bearer {self._token.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "estuary-admin",
        }
        if self._forwarded_for:
            headers["X-Forwarded-For"] = self._forwarded_for
        return send(self._origin, method, self._prefix + target.reveal(), headers, deadline)


@lru_cache(maxsize=16)
def _origin_and_prefix(base_url: str, proxy: str) -> tuple[Origin, str]:
    try:
        url = parse_url(base_url)
    except LocationParseError:
        raise ValueError("The address of Estuary has a host or port that cannot be.") from None
    # Other parsers take what follows a backslash and an @ for the host.
    if "\\" in base_url or url.port == 0:
        raise ValueError("The address of Estuary must hold no backslash and no port 0.")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("The address of Estuary must begin with http:// or https://.")
    if url.auth or url.query or url.fragment:
        raise ValueError("The address of Estuary must hold no user, query or fragment.")
    if proxy and url.scheme != "https":
        raise ValueError("A proxy is for https only: it would see the token.")
    port = url.port or (443 if url.scheme == "https" else 80)
    prefix = "/".join(["", *filter(None, (url.path or "").split("/"))])
    return Origin(url.scheme, url.host, port, proxy), prefix


def _ip_address(text: str) -> str:
    """An IP address in the form for a header, or "" for anything else."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return ""


def json_of(read: Callable[[bytes, NodeClock | None], T | Problem]) -> Read[T]:
    """Read a body, which must say that it is JSON."""
    return lambda reply: read(reply.body, reply.clock) if reply.is_json else "content-type"


def nothing_else(reply: Reply) -> Literal[True] | Problem:
    """Read the answer to a DELETE: nothing, or JSON that does not matter."""
    return "content-type" if reply.body and not reply.is_json else True


def _understood(reply: Reply, read: Read[T], *, is_change: bool) -> T:
    meaning = read(reply)
    if isinstance(meaning, str):
        raise UnexpectedReply(cast(Problem, meaning), maybe_carried_out=is_change or None)
    return meaning


def _wait_before_retry(error: UpstreamError, pause: float | None) -> float | None:
    """Seconds to wait before asking again; None when that is of no use."""
    if pause is None:
        return None
    if isinstance(error, RateLimited):
        return error.retry_after
    if isinstance(error, UpstreamFailed):
        return pause if error.status in (502, 503, 504) else None
    is_worth_it = isinstance(error, UpstreamUnavailable) and error.kind not in ("timeout", "tls")
    return pause if is_worth_it else None
