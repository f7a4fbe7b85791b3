"""Worker processes, and the rows of work that they claim."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class Worker(models.Model):
    """One worker process, from its start to its end.

    A claim holds for as long as its worker lives. Whether it lives is judged by `beats`, which
    other workers watch, and never by comparing clocks.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=253)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), db_index=True)
    beats = models.PositiveBigIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"worker {self.pid} on {self.host}"


class Claimable(models.Model):
    """A row of work: due at a moment, claimed by one worker at a time.

    `due_at` is empty when nothing is left to do. Every claim raises `claims`, so that a late write
    under an earlier claim changes nothing. `failures` counts failed tries since the last success.
    """

    due_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)
    claimed_by = models.ForeignKey(Worker, models.SET_NULL, null=True, related_name="+")
    claims = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)

    is_concluded = False  # whether this process has ended its claim

    class Meta:
        abstract = True


class ScheduledRun(Claimable):
    """The next run of a job that has no rows of its own: one row for each such job."""

    name = models.CharField(max_length=40, unique=True)
    last_ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} due at {self.due_at}"


class SchedulerLease(models.Model):
    """The worker that wakes the periodic tasks; all workers are alike, one of them has this."""

    name = models.CharField(max_length=20, unique=True)
    holder = models.ForeignKey(Worker, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.name} held by {self.holder_id}"
