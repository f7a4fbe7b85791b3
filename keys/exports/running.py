"""The exports that this process passes on: how they begin, and the thread that watches over them.

Once a second it looks for readers that take nothing and for the end of the process; every few
seconds it renews the leases, also while Estuary is still building the document.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait

from django.conf import settings
from django.db import Error, connection

from estuary_admin.web import shutdown
from keys.exports import leases
from keys.models import ExportLease
from keys.upstream import EstuaryClient, Export

logger = logging.getLogger("estuary_admin.keys")

FIRST_BYTE_POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0
RENEW_SECONDS = 3.0  # and within these an export is stopped whose owner asks for it
#: Before the process is killed, for the audit row and the page that says what happened.
SHUTDOWN_MARGIN_SECONDS = 5.0

#: Why an export was interrupted.
STOPPED, STALLED, SHUTDOWN = "stopped", "stalled", "shutdown"


class RunningExport:
    """One export: its lease, and whether its reader takes what it is given.

    `interrupted` is called in the watching thread, with the reason, at most once.
    """

    def __init__(self, lease: ExportLease) -> None:
        self.lease = lease
        self.reason = ""  # of the interruption
        self.interrupted: Callable[[str], None] = lambda _reason: None
        self._given_at: float | None = None

    def piece_given(self) -> None:
        self._given_at = time.monotonic()

    def piece_taken(self) -> None:
        self._given_at = None

    def is_stalled(self) -> bool:
        given_at = self._given_at
        return given_at is not None and time.monotonic() - given_at > settings.EXPORT_IDLE

    def interrupt(self, reason: str) -> None:
        """Tell the export to end for this reason; only the first call counts."""
        if not self.reason:
            self.reason = reason
            self.interrupted(reason)


def open_export(client: EstuaryClient, check: Callable[[], None]) -> Export:
    """Wait for Estuary's first byte, for up to a quarter of an hour.

    Raises UpstreamError, or what `check` raises meanwhile.
    """
    opening = _in_thread(lambda: client.open_export(settings.ESTUARY_EXPORT_TIMEOUT))
    try:
        check()
        while not opening.done():
            wait([opening], FIRST_BYTE_POLL_SECONDS)
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


class Watch:
    """All running exports of this process; its thread lives while there are any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: dict[int, RunningExport] = {}
        self._thread: threading.Thread | None = None

    def add(self, export: RunningExport) -> None:
        """Watch an export, and start the thread if it is the first."""
        with self._changed:
            self._running[export.lease.pk] = export
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exports", daemon=True)
                self._thread.start()

    def remove(self, export: RunningExport) -> None:
        """Stop watching an export that has ended."""
        with self._changed:
            self._running.pop(export.lease.pk, None)
            self._changed.notify()

    def _run(self) -> None:
        renewed_at = time.monotonic()
        while exports := self._next_look():
            try:
                if time.monotonic() - renewed_at >= RENEW_SECONDS:
                    self._renew(exports)
                    renewed_at = time.monotonic()
                self._look(exports)
            except Exception:  # this thread must not end before the exports do
                logger.exception("exports_not_watched")
            finally:
                connection.close()

    def _next_look(self) -> list[RunningExport]:
        """The exports that still run after a second; none, and at once, when the last has ended."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running, LOOK_SECONDS)
            if not self._running:
                self._thread = None
            return list(self._running.values())

    @staticmethod
    def _renew(exports: list[RunningExport]) -> None:
        """Renew all leases; a failure ends no export, though a second one might then begin."""
        try:
            stop = leases.renew([export.lease.pk for export in exports])
        except Error:
            logger.exception("export_leases_not_renewed")
            return
        for export in exports:
            if export.lease.pk in stop:
                export.interrupt(STOPPED)

    @staticmethod
    def _look(exports: list[RunningExport]) -> None:
        left = shutdown.seconds_left()
        is_ending = left is not None and left <= SHUTDOWN_MARGIN_SECONDS
        for export in exports:
            if is_ending:
                export.interrupt(SHUTDOWN)
            elif export.is_stalled():
                export.interrupt(STALLED)


watch = Watch()
