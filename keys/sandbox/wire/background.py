"""A server in a thread of its own, with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from keys.sandbox.wire.server import Server

_START_STOP_SECONDS = 10.0


class Background:
    """Starts and stops a server; `address` is where it listens, with port 0 until it does."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        self.address = (host, port)
        self._server = server
        self._thread: threading.Thread | None = None
        self._cancel: Callable[[], object] = bool  # nothing to cancel yet
        self._listening = threading.Event()
        self._failure: OSError | None = None

    def start(self) -> None:
        """Return once the server listens; raises OSError, or TimeoutError."""
        self._listening.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        if not self._listening.wait(_START_STOP_SECONDS):
            raise TimeoutError("the sandbox did not start")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Cancel the server and wait for its thread; twice is no error."""
        if self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop may be closed already
            self._cancel()
        self._thread.join(_START_STOP_SECONDS)
        self._thread = None

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except OSError as failure:
            self._failure = failure
            self._listening.set()

    async def _main(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio.run made it
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        host, port = self.address
        await self._server.run(host, port, self._ready)

    def _ready(self, port: int) -> None:
        self.address = (self.address[0], port)
        self._listening.set()
