"""HTTP/1.1 as Go's `net/http` writes it: which headers, in which order, chunked or not."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus

from keys.sandbox.wire.golang import SECOND
from keys.sandbox.wire.parsing import Reply, Request

_BUFFERED = 2048  # Go's write buffer: what does not fit goes chunked


def wire_pieces(request: Request, reply: Reply, now: int) -> Iterator[bytes]:
    """The answer as it goes over the wire; head and body of a short one in one piece.

    `now` (nanoseconds since 1970) is the time in its `Date`.
    """
    head = render_head(request, reply, now)
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


def render_head(request: Request, reply: Reply, now: int) -> bytes:
    """The status line and headers, in Go's order."""
    old, chunked = request.version == "HTTP/1.0", _is_chunked(reply)
    lines = [f"HTTP/1.{int(not old)} {reply.status} {HTTPStatus(reply.status).phrase}"]
    headers = [*reply.headers]
    if reply.body:
        headers.append(("Content-Type", reply.content_type))
    lines += [f"{name}: {value}" for name, value in sorted(headers, key=lambda pair: pair[0])]
    lines.append(f"Date: {_http_date(now // SECOND)}")
    if isinstance(reply.body, bytes) and not chunked and reply.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(reply.body)}")
    closes = closes_after(request, reply)
    if closes != old:  # each version names only what is not its default
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
