"""The worker's side of team exports: one member after another, resumable at each.

Each part is a prepared export of its own, so that what is complete stays when a worker is killed or
another member's part fails. Only a few parts are queued at a time: members who want their own data
meanwhile wait for the running part, not for the whole team.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.messages import (
    EXPORTED_BY_ADMIN,
    exported_by_admin_message,
    team_export_message,
)
from keys.exports.queueing import AlreadyPreparing, queue_export
from keys.exports.room import NoRoom
from keys.models import Message, PreparedExport, StoredToken, TeamExport, TeamExportPart
from keys.notices.outbox import enqueue

JOB = "team-export"
MAX_PARTS_AT_ONCE = 2
State, PartState = TeamExport.State, TeamExportPart.State
OPEN = (PartState.PENDING, PartState.RUNNING)


def advance_all() -> None:
    """Go on with the team export that is running, and end those whose time is over."""
    for number in TeamExport.objects.filter(state=State.RUNNING).values_list("pk", flat=True):
        advance(number)
    over = TeamExport.objects.filter(state=State.READY, expires_at__lte=timezone.now())
    for row in over:
        with transaction.atomic():
            if over.filter(pk=row.pk).update(state=State.EXPIRED):
                detail = {"team_export": str(row.number)}
                record_action(Actor.for_job(JOB), Action.TEAM_EXPORT_EXPIRED, detail=detail)


def advance(number: int) -> None:
    """Note what became of the parts, queue the next ones, and finish after the last."""
    while _advance_once(number):
        pass


def _advance_once(number: int) -> bool:
    """One transaction of `advance`; returns whether another one is needed.

    It queues one part at most: with the lock on the audit, which ends with the transaction, it must
    not wait for a row that a member is queueing, who waits for the audit.
    """
    with transaction.atomic():
        # The lock keeps two workers from queueing the same part.
        rows = TeamExport.objects.select_for_update()
        row = rows.filter(pk=number, state=State.RUNNING).first()
        if row is None:
            return False
        # One that was ready may have expired while the others were prepared.
        begun = row.parts.filter(state__in=[PartState.RUNNING, PartState.READY])
        for part in begun.select_related("export"):
            _take_over(part)
        if _queue_next(row):
            return True
        if not row.parts.filter(state__in=OPEN).exists():
            _finish(row)
    return False


def _take_over(part: TeamExportPart) -> None:
    export = part.export
    if export is None:
        _fail(part, "deleted", "The export of this member was deleted meanwhile.")
    elif export.state == PreparedExport.State.READY:
        running = TeamExportPart.objects.filter(pk=part.pk, state=PartState.RUNNING)
        running.update(state=PartState.READY)
    elif export.state == PreparedExport.State.EXPIRED:
        _fail(part, "expired", "The export of this member expired before the others were ready.")
    elif export.is_final:
        sentence = "It was cancelled." if export.reason == "cancelled" else export.sentence
        _fail(part, export.reason, sentence)


def _fail(part: TeamExportPart, reason: str, sentence: str) -> None:
    rows = TeamExportPart.objects.filter(pk=part.pk)
    rows.update(state=PartState.FAILED, reason=reason, sentence=sentence)


def _queue_next(row: TeamExport) -> bool:
    """Queue one more part; False when none can be queued now."""
    if row.parts.filter(state=PartState.RUNNING).count() >= MAX_PARTS_AT_ONCE:
        return False
    waiting = row.parts.filter(state=PartState.PENDING).select_related("member").order_by("pk")
    return any(_queue(row, part) for part in waiting)


def _queue(row: TeamExport, part: TeamExportPart) -> bool:
    """Queue one member's export; False when it failed, or must wait for another one."""
    tokens = StoredToken.objects.filter(member_id=part.member_id or 0, member__is_active=True)
    stored = tokens.select_related("member").first()
    if stored is None:
        _fail(part, "disconnected", "This member is not connected any more.")
        return False
    try:
        export = queue_export(Actor.for_job(JOB, stored.member), stored, row)
    except AlreadyPreparing:  # an export of the member's own: asked again when it has ended
        return False
    except NoRoom as error:
        _fail(part, error.reason, error.sentence)
        return False
    TeamExportPart.objects.filter(pk=part.pk).update(state=PartState.RUNNING, export=export)
    return True


def _finish(row: TeamExport) -> None:
    now = timezone.now()
    ready = row.parts.filter(state=PartState.READY)
    count, all_parts = ready.count(), row.parts.count()
    row.ended_at = now
    row.state = State.READY if count else State.FAILED
    row.expires_at = now + timedelta(days=settings.EXPORT_DAYS) if count else None
    row.save(update_fields=["state", "ended_at", "expires_at"])
    # The parts that were first must not end before the archive does. With failures left, a moment
    # that is far ahead would count as a lost retry.
    exports = PreparedExport.objects.filter(
        pk__in=ready.values("export_id"), state=PreparedExport.State.READY
    )
    exports.update(due_at=row.expires_at, expires_at=row.expires_at, failures=0)
    _tell_members(row, exports)
    detail: dict[str, str | int] = {"team_export": str(row.number)}
    detail |= {"members": count, "failed": all_parts - count}
    outcome = Outcome.DONE if count else Outcome.FAILED
    record_action(Actor.for_job(JOB), Action.TEAM_EXPORT_ENDED, outcome, detail=detail)
    if row.requested_by is not None:
        enqueue(row.requested_by, team_export_message(row, count, all_parts))


def _tell_members(row: TeamExport, exports: QuerySet[PreparedExport]) -> None:
    """Only now can an admin have their data; those of an earlier try were told at its end."""
    told = Message.objects.filter(
        member=OuterRef("member"),
        kind=EXPORTED_BY_ADMIN,
        created_at__gte=OuterRef("ended_at"),
    )
    for export in exports.exclude(Exists(told)).select_related("member").order_by("pk"):
        enqueue(export.member, exported_by_admin_message(export.member, row.requested_by_name))
