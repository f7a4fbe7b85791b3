"""The answers that faults invent, and what they do to right ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from keys.sandbox.estuary.errors import ApiError, not_found
from keys.sandbox.estuary.faults import Fault
from keys.sandbox.wire.parsing import Reply

_CUT = 50_000  # bytes of a stream before it is cut, unless the fault says otherwise
_SQL = "FATAL: terminating connection due to administrator command (SQLSTATE 57P01)"
_HTML = "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"
_HUGE_ROW = (
    b'{"token":"","tokenHash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",'
    b'"label":"endless","expiry":"2126-10-31T00:00:00Z","isSession":false},'
) * 512


def refusal(kind: str) -> ApiError | None:
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


def refused(fault: Fault, reply: Reply) -> Reply:
    if fault.retry_after is not None:
        reply.headers.append(("Retry-After", str(fault.retry_after)))
    if fault.body is not None:
        reply.body = fault.body.encode()
    return reply


def invented(fault: Fault) -> Reply | None:
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


def changed(fault: Fault, reply: Reply) -> Reply:
    body = reply.body
    if fault.kind == "wrong-type":
        reply.content_type = "text/plain; charset=utf-8"
    elif fault.kind == "null":
        reply.body = b"null\n"
    elif fault.kind == "object":
        reply.body = b"{}\n"
    elif fault.kind == "truncated-json":
        reply.body = b"".join(cut(body, fault.size))
    elif fault.kind == "invalid-utf8":
        first, rest = (body, []) if isinstance(body, bytes) else (next(body), body)
        spoilt = first.replace(b':"', b':"\xff', 1)
        reply.body = spoilt if isinstance(body, bytes) else chain([spoilt], rest)
    return reply


def cut(body: bytes | Iterable[bytes], size: int | None) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body[: len(body) // 2 if size is None else size]
        return
    left = _CUT if size is None else size
    for piece in body:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _endless(size: int) -> Iterator[bytes]:
    yield b"["
    for _ in range(0, size, len(_HUGE_ROW)):
        yield _HUGE_ROW
