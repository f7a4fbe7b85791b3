"""An HTTP/1.1 server that behaves as Go's does; what it answers is decided elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from keys.sandbox.wire.connection import Connection
from keys.sandbox.wire.parsing import HEAD_LIMIT, Request

_ACCEPT_STEPS = 3  # turns of the loop until an accepted socket is a connection
_MAX_UNSENT_BYTES = 1 << 20  # bytes written before the server waits for a slow reader

Respond = Callable[[Request, Connection], Awaitable[None]]


class Server:
    """Takes connections and calls `respond` for each request; `wall` is its clock."""

    def __init__(self, respond: Respond, wall: Callable[[], int]) -> None:
        self._respond = respond
        self._wall = wall
        self._open: dict[asyncio.Task[None], Connection] = {}

    async def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Serve until cancelled; calls `ready` with the port once it listens."""
        server = await asyncio.start_server(self._take, host, port, limit=HEAD_LIMIT, backlog=1024)
        ready(server.sockets[0].getsockname()[1])
        try:
            await asyncio.Event().wait()
        finally:
            await _stop_accepting(server)
            for task, connection in tuple(self._open.items()):
                task.cancel()
                connection.abort()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(_MAX_UNSENT_BYTES)
        connection = Connection(reader, writer, self._wall)
        task = asyncio.create_task(self._serve(connection))
        self._open[task] = connection
        task.add_done_callback(self._open.pop)

    async def _serve(self, connection: Connection) -> None:
        try:
            while connection.open and (request := await connection.next_request()):
                await self._respond(request, connection)
            await connection.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, which Estuary does not notice either, or the node stops
        finally:
            connection.abort()


async def _stop_accepting(server: asyncio.Server) -> None:
    """Close a server without losing sockets that it accepted but did not hand over yet."""
    for sock in server.sockets:
        asyncio.get_running_loop().remove_reader(sock.fileno())
    for _ in range(_ACCEPT_STEPS):
        await asyncio.sleep(0)
    server.close()
