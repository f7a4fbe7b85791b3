"""Comparisons of exports, as members handle them: ask for one, look, take the list."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.exports.delivery import Delivery, NoFile
from keys.exports.file_store import file_store
from keys.exports.sealed_files import FileBroken, SealedReader, file_key
from keys.jobs.queues import wake
from keys.jobs.tasks import compare_exports
from keys.models import ExportComparison, PreparedExport

READY = PreparedExport.State.READY


def find_pair(member: User, old: UUID, new: UUID) -> tuple[PreparedExport, PreparedExport] | None:
    """Two different exports of a member that are ready; None otherwise."""
    found = {
        row.number: row
        for row in PreparedExport.objects.filter(member=member, state=READY, number__in=[old, new])
    }
    return (found[old], found[new]) if len(found) == 2 else None


def find(old: PreparedExport, new: PreparedExport) -> ExportComparison | None:
    return ExportComparison.objects.filter(old=old, new=new).first()


def compare(actor: Actor, old: PreparedExport, new: PreparedExport) -> ExportComparison:
    """Have the worker compare two exports; once is enough. Raises TooOften."""
    throttles.check(actor, Action.EXPORTS_COMPARED)
    with transaction.atomic():
        row, is_new = ExportComparison.objects.get_or_create(old=old, new=new)
        if is_new:
            detail = {"old": str(old.number), "new": str(new.number)}
            record_action(actor, Action.EXPORTS_COMPARED, detail=detail)
            wake(compare_exports)
    return row


def list_file(row: ExportComparison) -> Delivery:
    """The list of differences; raises NoFile or SealBroken."""
    if row.state != ExportComparison.State.DONE:
        raise NoFile
    try:
        file = file_store().open(row.file_name)
    except OSError:
        raise NoFile from None
    try:
        reader = SealedReader(file, file_key(str(row.number), row.file_key))
    except FileBroken:
        file.close()
        raise NoFile from None
    except BaseException:
        file.close()
        raise
    return Delivery(file, reader.pieces())
