"""Exports that are prepared every week or month, while their member is active and connected."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.exports.queueing import AlreadyPreparing, queue_export
from keys.exports.room import NoRoom
from keys.jobs import claims
from keys.models import ExportSchedule, StoredToken

logger = logging.getLogger("estuary_admin.keys")

Every = ExportSchedule.Every
#: In TIME_ZONE; members follow one another within the hour, so that Estuary is asked evenly.
EXPORT_HOUR = 3
LONGEST_MONTH = timedelta(days=31)


def schedule_of(member: User) -> ExportSchedule | None:
    return ExportSchedule.objects.filter(member=member).first()


def set_schedule(actor: Actor, every: str) -> None:
    """Prepare the member's export every week or month, or ("") no longer."""
    member = actor.known_member
    with transaction.atomic():
        if every:
            defaults = {"every": every, "due_at": next_run(every, member.pk), "claimed_by": None}
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
        try:
            queue_export(Actor.for_job("export-schedule", row.member), stored)
        except AlreadyPreparing:
            pass  # this one will do
        except NoRoom as error:
            logger.warning("scheduled_export_without_room", extra={"reason": error.reason})


def next_run(every: str, member_id: int) -> datetime:
    """The next Monday, or the next first of a month, at night."""
    local = timezone.localtime(timezone.now(), timezone.get_default_timezone())
    at = {"hour": EXPORT_HOUR, "minute": member_id % 60, "second": 0, "microsecond": 0}
    if every == Every.WEEK:
        day = local + timedelta(days=7 - local.weekday())
    else:
        day = (local.replace(day=1) + LONGEST_MONTH).replace(day=1)
    return day.replace(**at)  # type: ignore[arg-type]
