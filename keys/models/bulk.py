"""Changes to many keys at once, and what became of each key."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of


class BulkChange(Claimable):
    """One change to many keys, as its member saw and confirmed it.

    Until `started_at` is set, it is a preview. `due_at` is set as long as the worker has to look
    at it: always after the start, until every item has its outcome.
    """

    class Action(models.TextChoices):
        REVOKE = "revoke", "Revoke"
        NOTE = "note", "Set notes"
        REMIND = "remind", "Set reminders"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    action = models.CharField(max_length=10, choices=Action)
    # The token with which the keys were listed: under another one, a missing key proves nothing.
    account_hash = models.CharField(max_length=43)
    # Only keys that have ended by the node's clock and by ours, looked at again before each end.
    is_expired_only = models.BooleanField(default=False)
    note = models.JSONField(default=dict)  # the fields to set
    days = models.JSONField(default=list)  # of reminders
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=300, blank=True)  # why it is waiting, as a sentence

    class Meta:
        verbose_name = "bulk change"

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"


class BulkItem(models.Model):
    """One key of a change. `SENT` before Estuary is asked, so that a kill loses nothing."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent, not confirmed yet"
        REVOKED = "revoked", "Revoked"
        DONE = "done", "Done"
        GONE = "gone", "Was gone already"
        LEFT = "left", "Left alone"
        STILL_LISTED = "still-listed", "Still listed"
        UNKNOWN = "unknown", "Unknown"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OPEN: ClassVar = (Outcome.WAITING, Outcome.SENT)
    GOOD: ClassVar = (Outcome.REVOKED, Outcome.DONE, Outcome.GONE)
    #: What “Try the failed keys again” takes up.
    FAILED: ClassVar = (Outcome.STILL_LISTED, Outcome.UNKNOWN, Outcome.FAILED, Outcome.CANCELLED)

    change = models.ForeignKey(BulkChange, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    token_hash = models.CharField(max_length=43)
    label = models.CharField(max_length=200, blank=True)
    # Estuary knows this old key by its token alone, which goes to the node's access log.
    needs_token = models.BooleanField(default=False)
    outcome = models.CharField(max_length=12, choices=Outcome, default=Outcome.WAITING)
    sentence = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["change", "token_hash"], name="bulk_key_once")
        ]
        indexes = [models.Index(fields=["change", "outcome"], name="bulk_by_outcome")]

    def __str__(self) -> str:
        return f"{self.fingerprint}: {self.outcome}"

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)


class KeyReminder(models.Model):
    """The thresholds of one key, where they differ from the member's own."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=43)
    days = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "token_hash"], name="one_reminder_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.token_hash[:8]}: {self.days}"
