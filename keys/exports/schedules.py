"""Exports that are prepared every week or month, while their member is active and connected."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.messages import failed_message
from keys.exports.queueing import AlreadyPreparing, queue_export
from keys.exports.room import NoRoom
from keys.jobs import claims
from keys.models import ExportSchedule, PreparedExport, StoredToken
from keys.notices.outbox import enqueue

Every = ExportSchedule.Every
#: In TIME_ZONE; members follow one another within the hour, so that Estuary is asked evenly.
EXPORT_HOUR = 3
LONGEST_MONTH = timedelta(days=31)
ACCOUNT_IS_BUSY_WAIT = timedelta(minutes=10)


def schedule_of(member: User) -> ExportSchedule | None:
    """The member's schedule; None when no export is scheduled."""
    return ExportSchedule.objects.filter(member=member).first()


def set_schedule(actor: Actor, every: str) -> None:
    """Prepare the member's export every week or month, or ("") no longer."""
    member = actor.known_member
    with transaction.atomic():
        if every:
            due_at = next_run(every, member.pk)
            # With failures left, a moment that is far ahead would count as a lost retry.
            defaults = {"every": every, "due_at": due_at, "claimed_by": None, "failures": 0}
            ExportSchedule.objects.update_or_create(member=member, defaults=defaults)
        else:
            ExportSchedule.objects.filter(member=member).delete()
        record_action(actor, Action.EXPORT_SCHEDULED, detail={"every": every or "never"})


def run_due() -> None:
    """Queue the exports whose moment has come; one makes up for several that were missed."""
    claims.work_off(ExportSchedule.objects.select_related("member"), _run)


def _run(row: ExportSchedule) -> None:
    again_at = next_run(row.every, row.member_id)
    stored = StoredToken.objects.filter(member=row.member, member__is_active=True).first()
    with transaction.atomic():
        claims.conclude(row, again_at=again_at)
        if stored is None:
            return
        stored.member = row.member
        actor = Actor.for_job("export-schedule", row.member)
        try:
            queue_export(actor, stored)
        except AlreadyPreparing as error:
            if error.row is None:  # the member's own would do
                _wait(row, again_at)
        except NoRoom as error:
            _tell_failure(actor, stored, error)


def _wait(row: ExportSchedule, again_at: datetime) -> None:
    """For a part of a team export, or another member's export of the account: try again soon."""
    soon = min(again_at, timezone.now() + ACCOUNT_IS_BUSY_WAIT)
    ExportSchedule.objects.filter(pk=row.pk).update(due_at=soon)


def _tell_failure(actor: Actor, stored: StoredToken, error: NoRoom) -> None:
    """The member expects an export: its row and its message say why there is none."""
    failed = PreparedExport.objects.create(
        member=stored.member,
        token_hash=stored.token_hash,
        node=settings.ESTUARY_API_URL.netloc[:253],
        state=PreparedExport.State.FAILED,
        due_at=None,
        ended_at=timezone.now(),
        reason=error.reason,
        sentence=error.sentence,
    )
    detail = {"export": str(failed.number), "reason": error.reason}
    record_action(actor, Action.EXPORT_PREPARE_FAILED, Outcome.FAILED, detail=detail)
    enqueue(failed.member, failed_message(failed))


def next_run(every: str, member_id: int) -> datetime:
    """The next Monday, or the next first of a month, at night."""
    local = timezone.localtime(timezone.now(), timezone.get_default_timezone())
    at = {"hour": EXPORT_HOUR, "minute": member_id % 60, "second": 0, "microsecond": 0}
    if every == Every.WEEK:
        day = local + timedelta(days=7 - local.weekday())
    else:
        day = (local.replace(day=1) + LONGEST_MONTH).replace(day=1)
    return day.replace(**at)  # type: ignore[arg-type]
