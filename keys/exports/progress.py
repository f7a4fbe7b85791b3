"""How far the preparation of an export is, told to its page; and whether it is to end."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import Error

from estuary_admin.storage.connections import release_connection, write_with_retries
from keys.exports.running import RunningExport
from keys.jobs import workers
from keys.jobs.claims import ClaimLost
from keys.models import PreparedExport

logger = logging.getLogger("estuary_admin.keys")

TELL_SECONDS = 1.0


class Cancelled(Exception):
    """The member has cancelled the export."""


class ShuttingDown(Exception):
    """This worker ends; the next one does the work."""


class Progress:
    """The progress of one claimed row. Every method raises ClaimLost, Cancelled or ShuttingDown."""

    def __init__(self, row: PreparedExport, running: RunningExport | None = None) -> None:
        self.row = row
        self._running = running
        self._told_at = time.monotonic()

    @property
    def lease_number(self) -> int | None:
        return self._running.lease.pk if self._running else None

    def save(self, **changes: Any) -> None:
        """Change the row, if it is still ours."""
        rows = PreparedExport.objects.filter(
            pk=self.row.pk, claims=self.row.claims, claimed_by=self.row.claimed_by_id
        )
        changed = write_with_retries(lambda: rows.update(**changes), "export_progress_not_kept")
        if not changed:
            raise ClaimLost
        for name, value in changes.items():
            setattr(self.row, name, value)

    def check(self) -> None:
        """Check, at most once a second, whether to go on."""
        self.tell(self.row.size)

    def tell(self, size: int) -> None:
        """Record, at most once a second, how many bytes have arrived."""
        if workers.stop_requested.is_set():
            raise ShuttingDown
        if self._running and self._running.reason:
            raise Cancelled  # by “Stop export”
        if time.monotonic() - self._told_at < TELL_SECONDS:
            return
        self._told_at = time.monotonic()
        try:
            self._tell(size)
        except Error as error:  # no reason to break off what is coming
            logger.warning("export_progress_not_told", extra={"reason": type(error).__name__})
            release_connection()

    def _tell(self, size: int) -> None:
        rows = PreparedExport.objects.filter(
            pk=self.row.pk, claims=self.row.claims, claimed_by=self.row.claimed_by_id
        )
        if not rows.update(size=size):
            raise ClaimLost
        self.row.size = size
        if rows.filter(cancel_requested=True).exists():
            raise Cancelled
