"""Jobs that run every so often and have no rows of their own: a row each says when next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from keys.jobs.claims import conclude, work_off
from keys.models import ScheduledRun


def run_when_due(name: str, every: timedelta, work: Callable[[], object]) -> None:
    """Run `work` when `every` has passed since it last ended; on one worker at a time.

    Missed runs are made up for by one run. A moment further ahead than `every` was set under a
    clock that was wrong, and is put right.
    """

    def run(row: ScheduledRun) -> None:
        work()
        now = timezone.now()
        conclude(row, again_at=now + every, last_ended_at=now)

    row, _ = ScheduledRun.objects.get_or_create(name=name)
    now = timezone.now()
    if row.due_at is None or row.due_at > now + every:
        ScheduledRun.objects.filter(pk=row.pk, due_at=row.due_at).update(due_at=now)
    work_off(ScheduledRun.objects.filter(name=name), run)
