"""What each fault does to one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain

from keys.sandbox.estuary.errors import ApiError
from keys.sandbox.estuary.false_replies import changed, cut, invented, refusal, refused
from keys.sandbox.estuary.faults import Fault
from keys.sandbox.wire.connection import Connection
from keys.sandbox.wire.framing import render_head, wire_pieces
from keys.sandbox.wire.parsing import Reply, Request


async def misbehave(
    fault: Fault,
    connection: Connection,
    request: Request,
    carry_out: Callable[..., Reply],
    refuse: Callable[[ApiError], Reply],
) -> None:
    """Let a fault strike.

    `carry_out()` does the work (only answers as if, with `pretend`), `refuse` words an error.
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
    elif (error := refusal(kind)) is not None:
        if kind == "500-after":
            carry_out()
        await connection.send(request, refused(fault, refuse(error)))
    elif (reply := invented(fault)) is not None:
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
        await connection.send(request, changed(fault, reply))


def _broken_off(fault: Fault, request: Request, reply: Reply, now: int) -> Iterator[bytes]:
    part = cut(reply.body, fault.size)
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
