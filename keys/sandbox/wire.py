"""HTTP/1.1 the way Go's `net/http` speaks it: reading requests, writing replies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from .golang import has_bad_escape

HEAD_LIMIT = (1 << 20) + 4096  # Go's DefaultMaxHeaderBytes and the slack it adds
BODY_LIMIT = 1 << 20
JSON = "application/json; charset=UTF-8"
_BUFFERED = 2048  # Go's write buffer: what does not fit goes chunked


class Malformed(Exception):  # noqa: N818 - it is an answer, given without the API seeing the request
    """What Go itself answers, as text/plain, before closing the connection."""

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
    """One request as it came: raw target, header names in lower case, first value of each.

    `status` is what was answered, None while unanswered (or for good, after some faults).
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
    """One answer; an iterator as body is streamed and always chunked, `sized` bytes never."""

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
        body = b""
        while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
            body += (await reader.readexactly(size + 2))[:-2]
            if len(body) > BODY_LIMIT:
                raise Malformed
        await reader.readuntil(b"\r\n")
        return body
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > BODY_LIMIT:
        raise Malformed
    return await reader.readexactly(int(length)) if length != "0" else b""


def wire_pieces(request: Request, reply: Reply) -> Iterator[bytes]:
    """The answer as it goes over the wire; head and body of a short one in one piece."""
    head = render_head(request, reply)
    if request.method == "HEAD":
        yield head
        return
    framed = _is_chunked(reply) and request.version != "HTTP/1.0"
    if isinstance(reply.body, bytes):
        yield head + (chunk(reply.body) + chunk(b"") if framed else reply.body)
        return
    yield head
    for piece in reply.body:
        yield chunk(piece) if framed else piece
    if framed:
        yield chunk(b"")


def render_head(request: Request, reply: Reply) -> bytes:
    """The status line and headers, in Go's order."""
    old, chunked = request.version == "HTTP/1.0", _is_chunked(reply)
    lines = [f"HTTP/1.{int(not old)} {reply.status} {HTTPStatus(reply.status).phrase}"]
    headers = [*reply.headers]
    if reply.body:
        headers.append(("Content-Type", reply.content_type))
    lines += [f"{name}: {value}" for name, value in sorted(headers, key=lambda pair: pair[0])]
    lines.append(f"Date: {_http_date(int(time.time()))}")
    if isinstance(reply.body, bytes) and not chunked and reply.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(reply.body)}")
    closes = closes_after(request, reply)
    if closes != old:  # each version says only what is not its habit
        lines.append("Connection: close" if closes else "Connection: keep-alive")
    if chunked and not old:
        lines.append("Transfer-Encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def closes_after(request: Request, reply: Reply) -> bool:
    """Whether the connection ends with this answer."""
    return not request.keeps_alive or (request.version == "HTTP/1.0" and _is_chunked(reply))


def _is_chunked(reply: Reply) -> bool:
    # Go knows the length of what fits its write buffer.
    return not isinstance(reply.body, bytes) or (len(reply.body) > _BUFFERED and not reply.sized)


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body; the empty piece ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


_date = (0, "")


def _http_date(now: int) -> str:
    global _date
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]
