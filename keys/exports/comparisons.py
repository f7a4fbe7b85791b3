"""Comparisons of exports for members: start one, find it, download its list."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.delivery import Delivery, closed_on_failure, opened
from keys.exports.prepared import of_member
from keys.exports.sealed_files import SealedReader, file_key
from keys.jobs.queues import wake
from keys.jobs.tasks import compare_exports
from keys.models import ExportComparison, PreparedExport

State = ExportComparison.State


def find_pair(member: User, old: UUID, new: UUID) -> tuple[PreparedExport, PreparedExport] | None:
    """Two different exports of a member that are ready; None otherwise."""
    rows = of_member(member).filter(number__in=[old, new])
    found = {row.number: row for row in rows if row.has_file}
    return (found[old], found[new]) if len(found) == 2 else None


def find(old: PreparedExport, new: PreparedExport) -> ExportComparison | None:
    """The comparison of these two exports, or None when nobody has asked for it."""
    return ExportComparison.objects.filter(old=old, new=new).first()


def compare(actor: Actor, old: PreparedExport, new: PreparedExport) -> ExportComparison:
    """Have the worker compare two exports, again only after a failure. Raises TooOften."""
    throttles.check(actor, Action.EXPORTS_COMPARED)
    with transaction.atomic():
        row, is_new = ExportComparison.objects.get_or_create(old=old, new=new)
        failed = ExportComparison.objects.filter(pk=row.pk, state=State.FAILED)
        again = {"state": State.QUEUED, "tries": 0, "due_at": timezone.now()}
        if is_new or failed.update(**again):
            record_action(actor, Action.EXPORTS_COMPARED, Outcome.STARTED, detail=row.facts)
            wake(compare_exports)
    return row


def list_file(row: ExportComparison) -> Delivery:
    """The open list of a comparison that is done; raises NoFile, StorageAway or SealBroken."""
    file = opened(row.file_name)
    with closed_on_failure(file):
        reader = SealedReader(file, file_key(str(row.number), row.file_key))
    return Delivery(file, reader.pieces())


def deliver_list(actor: Actor, row: ExportComparison) -> Delivery:
    """The list, and the record that its download begins; raises as `list_file` does."""
    delivery = list_file(row)
    with closed_on_failure(delivery):
        detail = row.facts | {"form": "changes.csv"}
        record_action(actor, Action.EXPORT_DOWNLOADED, Outcome.STARTED, detail=detail)
    return delivery
