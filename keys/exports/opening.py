"""Waits for Estuary's first byte, for up to a quarter of an hour, unless it is told to stop."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

from django.conf import settings

from keys.upstream import EstuaryClient, Export

POLL_SECONDS = 0.2


def open_export(client: EstuaryClient, check: Callable[[], None]) -> Export:
    """Wait for the first byte; raises UpstreamError, or what `check` raises meanwhile."""
    opening = _in_thread(lambda: client.open_export(settings.ESTUARY_EXPORT_TIMEOUT))
    try:
        check()
        while not opening.done():
            wait([opening], POLL_SECONDS)
            check()
    except BaseException:
        opening.add_done_callback(_close_late)
        raise
    return opening.result()


def _in_thread(work: Callable[[], Export]) -> Future[Export]:
    """Run `work` in a thread of its own, which the end of the process does not wait for."""
    future: Future[Export] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    context = contextvars.copy_context()  # the request's log line counts the calls to Estuary
    threading.Thread(target=context.run, args=(run,), daemon=True).start()
    return future


def _close_late(opening: Future[Export]) -> None:
    if not opening.exception():
        opening.result().close()
