"""Prepared exports, as members handle them: ask for one, look, cancel, delete."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken, is_newest
from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.comparing import end_comparisons
from keys.exports.file_store import delete_or_leave, file_store
from keys.exports.queueing import queue_export
from keys.exports.sealed_files import reseal_file_key
from keys.jobs import workers
from keys.jobs.queues import wake
from keys.jobs.tasks import prepare_exports
from keys.models import ExportComparison, PreparedExport, StoredToken

State = PreparedExport.State
ENDED_EXPORTS_SHOWN = 20  # on the exports page


class StillRunning(Exception):
    """It must be cancelled before it can be deleted."""


def prepare(actor: Actor, stored: StoredToken) -> PreparedExport:
    """Have the worker prepare an export now; raises AlreadyPreparing, NoRoom or TooOften."""
    throttles.check(actor, Action.EXPORT_PREPARE_REQUESTED)
    row = queue_export(actor, stored)
    wake(prepare_exports)
    return row


def of_member(member: User) -> QuerySet[PreparedExport]:
    """A member's prepared exports, newest first; those that admins prepared are not among them."""
    return PreparedExport.objects.filter(member=member, team_export=None).order_by("-created_at")


def shown_to(member: User) -> QuerySet[PreparedExport]:
    """Those for the exports page: all that are ready or unfinished, and the newest others."""
    rows = of_member(member)
    lasting = Q(state__in=[*PreparedExport.UNFINISHED, State.READY])
    ended = rows.exclude(lasting)[:ENDED_EXPORTS_SHOWN]
    return rows.filter(lasting | Q(pk__in=ended.values("pk")))


def find(member: User, number: UUID) -> PreparedExport | None:
    """The member's own export with this number, or None."""
    return of_member(member).filter(number=number).first()


def cancel(actor: Actor, row: PreparedExport) -> bool:
    """Cancel it at once, or have its worker do so; False when it has ended already."""
    rows = PreparedExport.objects.filter(pk=row.pk, state__in=PreparedExport.UNFINISHED)
    detail = {"export": str(row.number)}
    with transaction.atomic():
        if not rows.update(cancel_requested=True):
            return False
        other = row.member if row.member != actor.member else None  # a part of a team export
        record_action(
            actor,
            Action.EXPORT_STOP_REQUESTED,
            Outcome.STARTED,
            on_behalf_of=other,
            detail=detail,
        )
        # Another claim would be the newer one: a worker that claims it right now loses the row.
        unclaimed = rows.filter(workers.nobody_holds("claimed_by"))
        is_ours = unclaimed.update(
            state=State.CANCELLED,
            claims=F("claims") + 1,
            due_at=None,
            ended_at=timezone.now(),
            reason="cancelled",
            sentence="You cancelled it.",
            sha256="",
            file_key="",
        )
        if is_ours:
            cancelled = Action.EXPORT_PREPARE_CANCELLED
            record_action(actor, cancelled, on_behalf_of=other, detail=detail)
    if is_ours and row.file_name:
        delete_or_leave(file_store(), row.file_name)
    return True


def delete(actor: Actor, row: PreparedExport) -> None:
    """Delete the file, then the row and what compares it; raises StillRunning or OSError."""
    if not row.is_final:
        raise StillRunning
    store = file_store()
    if row.file_name:
        store.delete(row.file_name)
    with transaction.atomic():
        lists = end_comparisons(row)
        deleted, _ = PreparedExport.objects.filter(pk=row.pk).delete()
        if deleted:
            record_action(actor, Action.EXPORT_DELETED, detail={"export": str(row.number)})
    for name in lists:
        delete_or_leave(store, name)


def reseal_file_keys() -> tuple[int, int]:
    """Move the key of every file to the newest sealing key; returns (moved, unreadable)."""
    moved = unreadable = 0
    for model in (PreparedExport, ExportComparison):
        sealed = model._default_manager.exclude(file_key="")
        for row in sealed.only("number", "file_key").iterator():
            if is_newest(row.file_key):
                continue
            try:
                resealed = reseal_file_key(str(row.number), row.file_key)
            except SealBroken:
                unreadable += 1
                continue
            # Compare and swap: a new try may be making another key right now.
            rows = sealed.filter(pk=row.pk, file_key=row.file_key)
            moved += rows.update(file_key=resealed)
    return moved, unreadable
