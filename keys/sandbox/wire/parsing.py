"""HTTP/1.1 as Go's `net/http` reads it: requests, and what it refuses by itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from keys.sandbox.wire.golang import has_bad_escape

HEAD_LIMIT = (1 << 20) + 4096  # Go's DefaultMaxHeaderBytes, and what it adds
BODY_LIMIT = 1 << 20
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})\s*(?:;.*)?\r\n")
JSON = "application/json; charset=UTF-8"


class Malformed(Exception):
    """A request that Go itself refuses, as text/plain, before it closes the connection."""

    def __init__(self, text: str = "400 Bad Request") -> None:
        super().__init__(text)
        self.text = text

    def render(self) -> bytes:
        """The whole answer; Go repeats the status line as body."""
        head = (
            f"HTTP/1.1 {self.text}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close"
        )
        return f"{head}\r\n\r\n{self.text}".encode()


@dataclass(slots=True)
class Request:
    """One request as it arrived: raw target, header names in lower case, first value of each.

    `status` is that of the answer, None before it (and after some faults, which send none).
    """

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)  # may hold a token
    version: str = "HTTP/1.1"
    body: bytes = field(default=b"", repr=False)
    peer: str = ""
    status: int | None = None

    @property
    def path(self) -> str:
        """The target up to the question mark, not decoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after the question mark, not decoded."""
        return self.target.partition("?")[2]

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection stays open after the answer."""
        wish = self.headers.get("connection", "").lower()
        return wish != "close" if self.version == "HTTP/1.1" else wish == "keep-alive"


@dataclass(slots=True)
class Reply:
    """One answer. A body that is an iterator is sent in chunks; `sized` bytes never are."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    sized: bool = False


async def read_request(reader: asyncio.StreamReader, peer: str) -> Request | None:
    """Read the next request with its body; None when the client closed instead.

    Raises Malformed where Go would answer by itself. There is no timeout, as in Estuary.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise Malformed("431 Request Header Fields Too Large") from None
    line, *fields = head[:-4].decode("latin-1").split("\r\n")
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if version not in {"HTTP/1.1", "HTTP/1.0"} and line != "PRI * HTTP/2.0":
        raise Malformed
    if not method.isascii() or not (target.startswith(("/", "http://")) or target == "*"):
        raise Malformed
    if has_bad_escape(target.partition("?")[0]):
        raise Malformed
    if target.startswith("http://"):
        target = "/" + target[7:].partition("/")[2]
    request = Request(method, target, _headers(fields), version, peer=peer)
    if version == "HTTP/1.1" and "host" not in request.headers:
        raise Malformed("400 Bad Request: missing required Host header")
    request.body = await _read_body(reader, request.headers)
    return request


def _headers(fields: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in fields:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed
        headers.setdefault(name.lower(), value.strip(" \t"))
    return headers


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > BODY_LIMIT:
        raise Malformed
    return await reader.readexactly(int(length)) if length != "0" else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = _CHUNK_SIZE.match(await reader.readuntil(b"\n"))
        if size is None or len(body) + int(size[1], 16) > BODY_LIMIT:
            raise Malformed
        # Trailers are not understood: nobody sends them to this API.
        body += (await reader.readexactly(int(size[1], 16) + 2))[:-2]
        if int(size[1], 16) == 0:
            return body
