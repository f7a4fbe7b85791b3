"""Exports: those that are being streamed, and those that the worker prepares."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of


class ExportLease(models.Model):
    """An export that is under way; an account has one at most, on whichever machine."""

    # Not the member: two who connected the same key share one account.
    token_hash = models.CharField(max_length=43, unique=True)
    until = models.DateTimeField()  # a process that died frees the account then
    # Without an index: the table has a few rows, and creating one locks it during an upgrade.
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(null=True)
    # The default is in the database too: the version before this column goes on writing rows.
    stop_requested = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"export of {fingerprint_of(self.token_hash)} until {self.until}"


class PreparedExport(Claimable):
    """An export that the worker fetches, checks and keeps for a while.

    `due_at` is when the worker has something to do with it: now until it is ready, then its end.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        VERIFYING = "verifying", "Verifying"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        EXPIRED = "expired", "Expired"

    UNFINISHED = (State.QUEUED, State.RUNNING, State.VERIFYING)

    number = models.UUIDField(unique=True, default=uuid.uuid4)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    # The account: the member may connect another one meanwhile.
    token_hash = models.CharField(max_length=43)
    node = models.CharField(max_length=253)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    cancel_requested = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)  # how often Estuary was asked
    lease_number = models.BigIntegerField(null=True)  # of the try that is running
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    started_at = models.DateTimeField(null=True)
    first_byte_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    # The file. Each try has its own, so that two tries never write into one.
    file_name = models.CharField(max_length=80, blank=True)
    file_key = models.TextField(blank=True)  # sealed; "" when the file is not
    size = models.PositiveBigIntegerField(default=0)  # of the document, so far
    stored_size = models.PositiveBigIntegerField(default=0)
    expected_size = models.PositiveBigIntegerField(default=0)  # a guess; 0 for none
    sha256 = models.CharField(max_length=64, blank=True)
    # What the document says.
    content_count = models.PositiveBigIntegerField(default=0)
    deal_count = models.PositiveBigIntegerField(default=0)
    document_version = models.CharField(max_length=40, blank=True)
    document_date = models.CharField(max_length=40, blank=True)
    console_version = models.CharField(max_length=40, blank=True)
    # A part of an export of all members, which is for admins.
    team_export = models.ForeignKey(
        "TeamExport", models.CASCADE, null=True, related_name="+", db_index=False
    )
    crc32 = models.BigIntegerField(null=True)  # of such a part: the archive needs it
    # Why it failed: a code for the audit, and a sentence for people.
    reason = models.CharField(max_length=40, blank=True)
    sentence = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "prepared export"
        constraints = [
            models.UniqueConstraint(
                fields=["token_hash"],
                condition=models.Q(state__in=["queued", "running", "verifying"]),
                name="one_export_prepared_per_account",
            )
        ]

    def __str__(self) -> str:
        return f"prepared export {self.number}"

    @property
    def is_final(self) -> bool:
        return self.state not in self.UNFINISHED

    @property
    def has_file(self) -> bool:
        """Whether it may be downloaded: its time may be over before a worker deletes the file."""
        is_over = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.state == self.State.READY and not is_over


class ExportComparison(Claimable):
    """The differences between two prepared exports of a member, found by the worker."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    number = models.UUIDField(unique=True, default=uuid.uuid4)
    old = models.ForeignKey(PreparedExport, models.CASCADE, related_name="+")
    new = models.ForeignKey(PreparedExport, models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    file_name = models.CharField(max_length=80, blank=True)
    file_key = models.TextField(blank=True)  # sealed; "" when the file is not
    # By kind ("content", "deal") and change ("appeared", "vanished", "changed").
    counts = models.JSONField(default=dict)

    class Meta:
        verbose_name = "comparison of exports"
        constraints = [models.UniqueConstraint(fields=["old", "new"], name="compared_once")]

    def __str__(self) -> str:
        return f"comparison {self.number}"

    @property
    def is_final(self) -> bool:
        return self.state in {self.State.DONE, self.State.FAILED}

    @property
    def facts(self) -> dict[str, str]:
        """For the audit."""
        return {"old": str(self.old.number), "new": str(self.new.number)}


class ExportSchedule(Claimable):
    """An export that is prepared again and again; `due_at` is when the next one is."""

    class Every(models.TextChoices):
        WEEK = "week", "Every Monday"
        MONTH = "month", "On the first of each month"

    member = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    every = models.CharField(max_length=10, choices=Every)

    class Meta:
        verbose_name = "schedule of exports"

    def __str__(self) -> str:
        return f"export of member {self.member_id} every {self.every}"
