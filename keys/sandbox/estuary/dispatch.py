"""The way of a request through the node: control path, rate limit, route, fault, handler."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from keys.sandbox.estuary.control import Control
from keys.sandbox.estuary.errors import ApiError, body_for, status_for
from keys.sandbox.estuary.fault_effects import misbehave
from keys.sandbox.estuary.faults import FaultBook
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.handlers import UserApi
from keys.sandbox.estuary.headers import preflight, with_common_headers
from keys.sandbox.estuary.rate_limiter import RateLimiter, client_address
from keys.sandbox.estuary.routing import Route, find_route
from keys.sandbox.wire.connection import Connection
from keys.sandbox.wire.parsing import Reply, Request

_MAX_REMEMBERED_REQUESTS = 5_000


class Dispatcher:
    """Answers requests for one node; tests and the control path reach its attributes."""

    def __init__(
        self,
        api: UserApi,
        generation: Generation,
        *,
        rate_limit: float | None,
        latency: float,
        clock: Callable[[], float],
    ) -> None:
        self.api = api
        self.faults = FaultBook()
        self.requests: deque[Request] = deque(maxlen=_MAX_REMEMBERED_REQUESTS)
        self.latency = latency
        self._generation = generation
        self._limiter = RateLimiter(rate_limit if generation.rate_limited else None, clock)
        self._control = Control(self.faults, lambda: tuple(self.requests))

    async def respond(self, request: Request, connection: Connection) -> None:
        """Answer one request on its connection."""
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
            return with_common_headers(request, reply, self._generation)
        except ApiError as error:
            return self._refuse(request, error)

    def _refuse(self, request: Request, error: ApiError) -> Reply:
        reply = Reply(status_for(error, self._generation), body_for(error, self._generation))
        if error.allow:
            reply.headers.append(("Allow", error.allow))
        return with_common_headers(request, reply, self._generation)
