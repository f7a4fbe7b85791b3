"""What each fault does to one request and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from keys.sandbox.estuary.errors import ApiError, not_found
from keys.sandbox.estuary.faults import Fault
from keys.sandbox.wire.connection import Connection
from keys.sandbox.wire.framing import render_head, wire_pieces
from keys.sandbox.wire.parsing import Reply, Request

_CUT_AFTER_BYTES = 50_000  # bytes of a stream before it is cut, unless the fault says otherwise
_SQL = "FATAL: terminating connection due to administrator command (SQLSTATE 57P01)"
_HTML = "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"
_HUGE_ROW = (
    b'{"token":"","tokenHash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",'
    b'"label":"endless","expiry":"2126-10-31T00:00:00Z","isSession":false},'
) * 512


async def misbehave(
    fault: Fault,
    connection: Connection,
    request: Request,
    carry_out: Callable[..., Reply],
    refuse: Callable[[ApiError], Reply],
) -> None:
    """Answer a request as a fault has it.

    `carry_out()` does the work; with `pretend` it only answers. `refuse` renders an error.
    """
    if not fault.kind.startswith("drip"):
        await asyncio.sleep(fault.seconds)
    kind = fault.kind
    if kind == "never":
        await connection.hang()
    elif kind == "reset-before":
        connection.reset()
    elif kind == "silent-ok":
        await connection.send(request, carry_out(pretend=True))
    elif (error := _refusal(kind)) is not None:
        if kind == "500-after":
            carry_out()
        await connection.send(request, _refused(fault, refuse(error)))
    elif (reply := _invented(fault)) is not None:
        await connection.send(request, reply)
    else:
        await _spoil(fault, connection, request, carry_out())


async def _spoil(fault: Fault, connection: Connection, request: Request, reply: Reply) -> None:
    """Faults that carry the request out and then do something to the answer."""
    kind = fault.kind
    if kind == "reset-after":
        connection.reset()
    elif kind in {"cut", "truncated"}:
        request.status = reply.status
        await connection.write(_broken_off(fault, request, reply, connection.now()))
        connection.open = False
    elif kind in {"drip", "drip-body"}:
        request.status = reply.status
        await _drip(fault, connection, request, reply)
        connection.open = False
    else:
        await connection.send(request, _changed(fault, reply))


def _broken_off(fault: Fault, request: Request, reply: Reply, now: int) -> Iterator[bytes]:
    part = _cut(reply.body, fault.size)
    if fault.kind == "truncated" and isinstance(reply.body, bytes):
        reply.sized = True
        return chain([render_head(request, reply, now)], part)
    reply.body = part
    return _all_but_last(wire_pieces(request, reply, now))


def _all_but_last(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = next(pieces)
    for piece in pieces:
        yield held
        held = piece


async def _drip(fault: Fault, connection: Connection, request: Request, reply: Reply) -> None:
    pieces = wire_pieces(request, reply, connection.now())
    if fault.kind == "drip-body":
        head, _, rest = next(pieces).partition(b"\r\n\r\n")
        await connection.write([head + b"\r\n\r\n"])
        pieces = chain([rest], pieces)
    single = (bytes((byte,)) for piece in pieces for byte in piece)
    await connection.write(single, pause=fault.seconds)


def _refusal(kind: str) -> ApiError | None:
    """The error that a fault answers with, None when it is none of those."""
    expired = "token for user 1 expired 2026-01-01 00:00:00 +0000 UTC"
    return {
        "500": ApiError(500, details=_SQL),
        "500-after": ApiError(500, details=_SQL),
        "429": ApiError(429, details="rate limit exceeded"),
        "404": not_found(),
        "401-unknown": ApiError(401, "ERR_INVALID_TOKEN", "api key does not exist"),
        "401-expired": ApiError(401, "ERR_TOKEN_EXPIRED", expired),
        "403-upload": ApiError(403, "ERR_NOT_AUTHORIZED", "api key is upload only"),
    }.get(kind)


def _refused(fault: Fault, reply: Reply) -> Reply:
    if fault.retry_after is not None:
        reply.headers.append(("Retry-After", str(fault.retry_after)))
    if fault.body is not None:
        reply.body = fault.body.encode()
    return reply


def _invented(fault: Fault) -> Reply | None:
    if fault.kind == "huge":
        return Reply(body=_endless(fault.size or 0))
    status, title = {
        "502-html": (502, "502 Bad Gateway"),
        "html": (200, "Sign in"),
        "redirect": (302, "Found"),
    }.get(fault.kind, (0, ""))
    if not status:
        return None
    body = fault.body if fault.body is not None else _HTML % (title, title)
    headers = [("Location", fault.location)] if fault.kind == "redirect" else []
    return Reply(status, body.encode(), "text/html; charset=utf-8", headers)


def _changed(fault: Fault, reply: Reply) -> Reply:
    body = reply.body
    if fault.kind == "wrong-type":
        reply.content_type = "text/plain; charset=utf-8"
    elif fault.kind == "null":
        reply.body = b"null\n"
    elif fault.kind == "object":
        reply.body = b"{}\n"
    elif fault.kind == "truncated-json":
        reply.body = b"".join(_cut(body, fault.size))
    elif fault.kind == "invalid-utf8":
        first, rest = (body, []) if isinstance(body, bytes) else (next(body), body)
        spoilt = first.replace(b':"', b':"\xff', 1)
        reply.body = spoilt if isinstance(body, bytes) else chain([spoilt], rest)
    return reply


def _cut(body: bytes | Iterable[bytes], size: int | None) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body[: len(body) // 2 if size is None else size]
        return
    left = _CUT_AFTER_BYTES if size is None else size
    for piece in body:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _endless(size: int) -> Iterator[bytes]:
    yield b"["
    for _ in range(0, size, len(_HUGE_ROW)):
        yield _HUGE_ROW
