"""Whether there is room for another prepared export: on the disk, and for its account."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db.models import Sum

from keys.exports.file_store import FileStore
from keys.models import PreparedExport

logger = logging.getLogger("estuary_admin.keys")

#: The database may be on the same disk, and must be able to go on writing.
MIN_FREE_BYTES = 256 * 1024 * 1024
LOOK_EVERY_BYTES = 16 * 1024 * 1024
#: JSON of Estuary's shrinks to a tenth or less; a guess must not refuse what fits.
USUAL_SHRINKING = 10


class NoRoom(Exception):
    """There is no room for the file; `reason` is a key of `sentences`."""

    sentences = {
        "quota": (
            "The prepared exports of this account take all the room that this console gives them. "
            "Delete one that you no longer need."
        ),
        "disk-full": (
            "This console has no room left for another file. Delete prepared exports that you no "
            "longer need, or tell the operator of this console."
        ),
        "storage": (
            "The storage for exports does not answer. Try again later, or tell your administrator."
        ),
    }

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.sentence = self.sentences[reason]
        super().__init__(self.sentence)


class Room:
    """The room for one account's next file.

    A part of a team export is an admin's: it neither uses the account's quota nor is bound by it.
    """

    def __init__(
        self, store: FileStore, token_hash: str, expected_size: int = 0, *, is_team_part: bool
    ) -> None:
        self._store = store
        self._quota_left = None if is_team_part else _quota_left(token_hash)
        self._look_at = LOOK_EVERY_BYTES
        self._check(expected_size // USUAL_SHRINKING)

    def written(self, size: int) -> None:
        """Raise NoRoom when a file of this size takes too much."""
        if size >= self._look_at:
            self._look_at = size + LOOK_EVERY_BYTES
            self._check(0, size)

    def _check(self, needed: int, written: int = 0) -> None:
        if self._quota_left is not None and written + needed >= self._quota_left:
            raise NoRoom("quota")
        try:
            free = self._store.free_bytes()
        except OSError as error:
            logger.warning("export_storage_away", extra={"reason": error.strerror})
            raise NoRoom("storage") from None
        if free is not None and free < MIN_FREE_BYTES + needed:
            raise NoRoom("disk-full")


def _quota_left(token_hash: str) -> int:
    kept = PreparedExport.objects.filter(
        token_hash=token_hash, state=PreparedExport.State.READY, team_export=None
    )
    used: int = kept.aggregate(used=Sum("stored_size"))["used"] or 0
    return settings.EXPORT_QUOTA_GIB * 1024**3 - used
