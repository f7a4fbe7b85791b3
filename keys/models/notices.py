"""Members' choices of reminders, the notices that they got, and messages to deliver."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of

DEFAULT_DAYS = (30, 14, 7, 1)


def default_days() -> list[int]:
    return list(DEFAULT_DAYS)


class Reminders(Claimable):
    """A member's choices. `due_at` is when the member's keys are looked at next."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reminders"
    )
    days = models.JSONField(default=default_days)  # before the end; the end itself always counts
    webhook_url = models.CharField(max_length=500, blank=True)
    webhook_secret = models.TextField(blank=True)  # sealed
    # The feed is found by the hash of its secret; the member's own page unseals the secret.
    feed_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - many have none
    feed_secret = models.TextField(blank=True)  # sealed

    class Meta:
        verbose_name = "daily look at a member's keys"

    def __str__(self) -> str:
        return f"reminders of member {self.member_id}"


class Reminded(models.Model):
    """A member was told that a key has this many days left (0: that it has ended)."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=43)
    days = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "token_hash", "days"], name="reminded_once_per_threshold"
            )
        ]

    def __str__(self) -> str:
        return f"{fingerprint_of(self.token_hash)}: {self.days} days"


class Message(Claimable):
    """One message over one channel: due until it is sent or given up."""

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"
        PAGE = "page", "Notice on the page"

    # Receivers tell a message that is delivered twice by this number.
    number = models.UUIDField(unique=True, default=uuid.uuid4)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    channel = models.CharField(max_length=10, choices=Channel)
    recipient = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)  # given up
    last_error = models.CharField(max_length=200, blank=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "message"

    def __str__(self) -> str:
        return f"{self.channel} {self.number}"
