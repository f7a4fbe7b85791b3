"""The sandbox node, as tests and the demo use it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from keys.sandbox.estuary.contents import Contents, Holdings
from keys.sandbox.estuary.dispatch import Dispatcher
from keys.sandbox.estuary.faults import Fault
from keys.sandbox.estuary.generations import GENERATIONS
from keys.sandbox.estuary.handlers import PERMANENT, UserApi
from keys.sandbox.estuary.state import ERAS, LEVELS, Key, State, User
from keys.sandbox.estuary.state_file import StateFile
from keys.sandbox.wire.background import Background
from keys.sandbox.wire.golang import SECOND, nanoseconds
from keys.sandbox.wire.parsing import Request
from keys.sandbox.wire.server import Server


class Sandbox:
    """An Estuary node on a real socket, in a thread of its own.

    `listen` is HOST:PORT, port 0 for any free one. `latency` in seconds, before every answer.
    `rate_limit` in requests a second, None for none. `seed` drives the tokens made here (not
    those made over the API). `state_file` keeps users and keys over a restart. `clock` gives
    seconds, `wall` nanoseconds since 1970: tests move them instead of waiting. `clock_offset`
    in seconds makes the node's clock differ from that of the machine; it may change at any time.
    Raises ValueError for an unknown generation.
    """

    def __init__(
        self,
        listen: str = "127.0.0.1:0",
        generation: str = "current",
        latency: float = 0.0,
        rate_limit: float | None = 200,
        seed: int = 1,
        state_file: str | Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        clock_offset: float = 0.0,
    ) -> None:
        if generation not in GENERATIONS:
            raise ValueError(f"generation is one of {', '.join(GENERATIONS)}, not {generation!r}")
        self.clock_offset = clock_offset
        self._machine_wall = wall
        self._random = random.Random(seed)  # noqa: S311 - made-up tokens that must repeat
        self.state = State()
        if state_file:
            StateFile(Path(state_file), self.state)
        known = GENERATIONS[generation]
        self._dispatcher = Dispatcher(
            UserApi(self.state, known, clock, self._wall),
            known,
            rate_limit=rate_limit,
            latency=latency,
            clock=clock,
        )
        server = Server(self._dispatcher.respond, self._wall)
        host, _, port = listen.rpartition(":")
        self._background = Background(server, host.strip("[]") or "127.0.0.1", int(port))

    def _wall(self) -> int:
        """The node's clock, in nanoseconds since 1970."""
        return self._machine_wall() + int(self.clock_offset * SECOND)

    @property
    def url(self) -> str:
        """Where it listens, once started; the port stays the same over stop and start."""
        host, port = self._background.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> Self:
        """Listen; returns when it does. Raises OSError when the address is taken."""
        self._background.start()
        return self

    def stop(self) -> None:
        """Break off all connections, stop listening, and wait for the thread."""
        self._background.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def add_user(self, name: str, contents: Contents = 0, permission: str = "user") -> User:
        """Add an account; `permission` is "user", "upload" or "admin".

        A number of contents is made by a recipe, with a deal for each; explicit ones have none.
        """
        return self.state.add_user(name, LEVELS[permission], Holdings.of(contents), self._wall())

    def remove_user(self, user: User) -> None:
        """Delete an account but not its keys, as Estuary does: they are refused from then on."""
        user.exists = False

    def add_key(
        self,
        user: User,
        label: str = "",
        lifetime: timedelta | None = timedelta(days=30),
        expiry: datetime | None = None,
        permission: str = "all",
        is_session: bool = False,  # noqa: FBT001, FBT002 - tests pass it by name
        era: str = "current",
        token: str | None = None,
    ) -> str:
        """Add a key and return its token, as if it had been made over the API.

        `lifetime` None makes it permanent (36,500 days); `expiry` wins over it. `permission` is
        "all" or "upload", `era` one of ERAS. Raises ValueError for a wrong word or a used token.
        """
        if permission not in {"all", "upload"} or era not in ERAS:
            raise ValueError(f"no such permission or era: {permission!r}, {era!r}")
        span = PERMANENT if lifetime is None else lifetime // timedelta(microseconds=1) * 1000
        moment = self._wall() + span if expiry is None else nanoseconds(expiry)
        token = token or self.state.unused_token(self._random)
        upload, stored = permission == "upload", moment // 1000 * 1000
        self.state.add_key(Key(user, token, label, stored, upload, is_session, era))
        return token

    def remove_key(self, token: str) -> None:
        """Revoke a key as another client would; an unknown one is ignored."""
        if key := self.state.keys.get(token):
            self.state.remove_key(key)

    def set_fault(self, endpoint: str, fault: Fault) -> None:
        """Switch a fault on; `endpoint` is one of faults.ENDPOINTS. Raises ValueError."""
        self._dispatcher.faults.set(endpoint, fault)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._dispatcher.faults.clear()

    @property
    def requests(self) -> list[Request]:
        """The last requests, oldest first, without control requests."""
        return list(self._dispatcher.requests)

    def forget_requests(self) -> None:
        """Empty the list of requests."""
        self._dispatcher.requests.clear()

    @property
    def truncate_exports(self) -> bool:
        """Whether exports of more than 65,535 contents fail, as they do in Estuary."""
        return self._dispatcher.api.truncate_exports

    @truncate_exports.setter
    def truncate_exports(self, on: bool) -> None:
        self._dispatcher.api.truncate_exports = on
