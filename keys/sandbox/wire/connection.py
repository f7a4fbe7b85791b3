"""One client connection: requests in, answers out, and the ways to break it off."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterable

from keys.sandbox.wire.framing import closes_after, wire_pieces
from keys.sandbox.wire.parsing import Malformed, Reply, Request, read_request

_LINGER_ZERO = struct.pack("ii", 1, 0)
_REFUSAL_SECONDS = 0.5  # in which Go lets a client read its 400 or 431


class Connection:
    """Reads requests and writes answers; `open` turns false when nothing more may be sent.

    `now` gives the time for `Date` headers, in nanoseconds since 1970.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.now = now
        self.peer: str = (writer.get_extra_info("peername") or [""])[0]  # empty if it left already
        self.open = True

    async def next_request(self) -> Request | None:
        """The next request; None when there is none, or when Go would have refused it."""
        try:
            return await read_request(self._reader, self.peer)
        except Malformed as refusal:
            await self._refuse(refusal)
            return None

    async def _refuse(self, refusal: Malformed) -> None:
        self._writer.write(refusal.render())
        self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained(), _REFUSAL_SECONDS)

    async def _drained(self) -> None:
        while await self._reader.read(65_536):
            pass

    async def send(self, request: Request, reply: Reply) -> None:
        """Answer; the connection stays open if both sides want that."""
        request.status = reply.status
        await self.write(wire_pieces(request, reply, self.now()))
        self.open = not closes_after(request, reply)

    async def write(self, pieces: Iterable[bytes], pause: float | None = None) -> None:
        """Write with back-pressure, and let other connections run after each piece."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(pause or 0)

    async def hang(self) -> None:
        """Send nothing until the client closes the connection."""
        await self._drained()
        self.open = False

    def reset(self) -> None:
        """End with RST instead of FIN, and drop what was not sent yet."""
        if self._writer.transport.is_closing():
            return  # the client closed it first
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.abort()

    def abort(self) -> None:
        """End at once."""
        if not self._writer.transport.is_closing():
            self._writer.transport.abort()
        self.open = False

    async def close(self) -> None:
        """End in order: what was written still arrives."""
        self._writer.close()
        await self._writer.wait_closed()
