"""The worker's side of comparisons: two prepared exports in, counts and a sealed list out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.delivery import reader_of
from keys.exports.differences import Differences, Open, find_differences, list_of
from keys.exports.document import Malformed
from keys.exports.file_store import delete_or_leave, file_store
from keys.exports.progress import ShuttingDown
from keys.exports.sealed_files import (
    FileBroken,
    SealedWriter,
    new_file_key,
)
from keys.jobs import claims, workers
from keys.models import ExportComparison, PreparedExport

logger = logging.getLogger("estuary_admin.keys")

State = ExportComparison.State
MAX_TRIES = 5


def compare_due() -> None:
    """Work off the comparisons that members asked for."""
    rows = ExportComparison.objects.filter(state__in=[State.QUEUED, State.RUNNING])
    claims.work_off(rows.select_related("old", "new__member"), _compare)


def end_comparisons(export: PreparedExport) -> list[str]:
    """Delete the comparisons with an export, in the caller's transaction.

    Returns the names of their files, for `delete_or_leave` after it.
    """
    rows = ExportComparison.objects.filter(Q(old=export) | Q(new=export))
    names = list(rows.exclude(file_name="").values_list("file_name", flat=True))
    rows.delete()
    return names


def _compare(row: ExportComparison) -> None:
    if row.tries >= MAX_TRIES:
        _end(row, State.FAILED, Outcome.FAILED)
        return
    # Not by the tries, which begin anew after a failure: a name is used once.
    name = f"{row.number.hex}-list-{row.claims}"
    key, sealed = new_file_key(str(row.number)) if settings.EXPORT_SEALED else (None, "")
    _save(row, state=State.RUNNING, tries=row.tries + 1, file_name=name, file_key=sealed)
    old, new = _opener(row.old), _opener(row.new)
    try:
        found = find_differences(old, new, settings.DATA_DIR, _check)
        _write_list(name, key, found, old, new)
    except ShuttingDown:
        delete_or_leave(file_store(), name)
        claims.conclude(row, again_at=timezone.now(), state=State.QUEUED)
    except (FileBroken, Malformed, SealBroken, OSError) as error:
        logger.warning("exports_not_compared", extra={"reason": type(error).__name__})
        delete_or_leave(file_store(), name)
        _end(row, State.FAILED, Outcome.FAILED, file_key="")
    else:
        _end_with_list(row, name, found.counts)


def _end_with_list(row: ExportComparison, name: str, counts: dict[str, dict[str, int]]) -> None:
    try:
        _end(row, State.DONE, Outcome.DONE, counts=counts)
    except claims.ClaimLost:  # such as by the deletion of an export: nobody may have the list
        delete_or_leave(file_store(), name)
        raise


def _end(row: ExportComparison, state: str, outcome: Outcome, **changes: Any) -> None:
    actor = Actor.for_job("export-compare", row.new.member)
    with transaction.atomic():
        claims.conclude(row, state=state, **changes)
        record_action(actor, Action.EXPORTS_COMPARED, outcome, detail=row.facts)


def _save(row: ExportComparison, **changes: object) -> None:
    rows = ExportComparison.objects.filter(
        pk=row.pk, claims=row.claims, claimed_by=row.claimed_by_id
    )
    if not rows.update(**changes):
        raise claims.ClaimLost


def _opener(export: PreparedExport) -> Open:
    def pieces() -> Iterator[bytes]:
        with file_store().open(export.file_name) as file:
            for piece in reader_of(file, export).pieces():
                _check()
                yield piece

    return pieces


def _check() -> None:
    if workers.stop_requested.is_set():
        raise ShuttingDown


def _write_list(name: str, key: bytes | None, found: Differences, old: Open, new: Open) -> None:
    store = file_store()
    file = store.create(name)
    try:
        writer = SealedWriter(file, key)
        for lines in list_of(found, old, new):
            writer.write(lines)
        writer.finish()
        store.keep(file)
    finally:
        file.close()
