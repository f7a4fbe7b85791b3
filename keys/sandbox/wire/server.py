"""The server: takes connections, and leads each request past limiter, faults and routes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from keys.sandbox.estuary.control import Control
from keys.sandbox.estuary.errors import ApiError, body_for, status_for
from keys.sandbox.estuary.faults import FaultBook
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.handlers import UserApi
from keys.sandbox.estuary.misbehaviour import misbehave
from keys.sandbox.estuary.routing import Route, find_route
from keys.sandbox.estuary.state import State
from keys.sandbox.wire.connection import Connection
from keys.sandbox.wire.headers import dressed, preflight
from keys.sandbox.wire.limiter import Limiter, client_address
from keys.sandbox.wire.parsing import HEAD_LIMIT, Reply, Request

_LOGGED = 5_000  # requests remembered
_ACCEPT_STEPS = 3  # turns of the loop until an accepted socket is a connection
_WRITE_AHEAD = 1 << 20  # bytes written before a slow reader is waited for


class Server:
    """One node on one event loop; everything else reaches it through its attributes."""

    def __init__(
        self,
        state: State,
        generation: Generation,
        *,
        rate_limit: float | None,
        latency: float,
        clock: Callable[[], float],
        wall: Callable[[], int],
    ) -> None:
        self.api = UserApi(state, generation, clock, wall)
        self.faults = FaultBook()
        self.requests: deque[Request] = deque(maxlen=_LOGGED)
        self.latency = latency
        self._wall = wall
        self._generation = generation
        self._limiter = Limiter(rate_limit if generation.rate_limited else None, clock)
        self._control = Control(self.faults, lambda: tuple(self.requests))
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
        writer.transport.set_write_buffer_limits(_WRITE_AHEAD)
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
            pass  # the client is gone, which Estuary does not mind, or the node stops
        finally:
            connection.abort()

    async def _respond(self, request: Request, connection: Connection) -> None:
        if (control := self._control.answer(request)) is not None:
            await connection.send(request, control)
            return
        self.requests.append(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        try:
            route = self._admitted(request)
        except ApiError as error:
            await connection.send(request, self._refuse(request, error))
            return
        if route is None:
            await connection.send(request, preflight(request, self._generation))
        elif (fault := self.faults.strike(route.endpoint)) is not None:
            await misbehave(
                fault,
                connection,
                request,
                lambda *, pretend=False: self._carry_out(request, route, pretend=pretend),
                lambda error: self._refuse(request, error),
            )
        else:
            await connection.send(request, self._carry_out(request, route))

    def _admitted(self, request: Request) -> Route | None:
        """The route; None for OPTIONS, which is answered before the limiter and for any path."""
        if request.method == "OPTIONS":
            return None
        if not self._limiter.allows(client_address(request.headers, request.peer)):
            raise ApiError(429, details="rate limit exceeded")
        return find_route(request, self._generation)

    def _carry_out(self, request: Request, route: Route, *, pretend: bool = False) -> Reply:
        try:
            reply = self.api.answer(request, route, pretend=pretend)
            return dressed(request, reply, self._generation)
        except ApiError as error:
            return self._refuse(request, error)

    def _refuse(self, request: Request, error: ApiError) -> Reply:
        reply = Reply(status_for(error, self._generation), body_for(error, self._generation))
        if error.allow:
            reply.headers.append(("Allow", error.allow))
        return dressed(request, reply, self._generation)


async def _stop_accepting(server: asyncio.Server) -> None:
    """Close a server without losing sockets that it accepted but did not hand over yet."""
    for sock in server.sockets:
        asyncio.get_running_loop().remove_reader(sock.fileno())
    for _ in range(_ACCEPT_STEPS):
        await asyncio.sleep(0)
    server.close()
