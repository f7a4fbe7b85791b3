"""What we keep ourselves: sealed tokens, what was asked of Estuary, and who did what."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.account.choices import THEMES
from keys.upstream import Permission, describe


class StoredToken(models.Model):
    """The token by which this console acts for a member; unsealed only in `stored_tokens`."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="stored_token"
    )
    sealed = models.TextField()
    token_hash = models.CharField(max_length=43)
    connected_at = models.DateTimeField(default=timezone.now)
    # Raised by every change of ours, so that no process shows a list from before it.
    list_version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.fingerprint} of member {self.member_id}"

    @property
    def fingerprint(self) -> str:
        return self.token_hash[:8]


class KeyCreation(models.Model):
    """One request to create a key: claimed once by its nonce, then the record of the key."""

    class Outcome(models.TextChoices):
        REQUESTED = "requested", "Not answered yet"
        CREATED = "created", "Created"
        LOST = "lost", "Created, but its token was lost"
        NOT_CREATED = "not-created", "Not created"
        UNKNOWN = "unknown", "Unknown"

    nonce = models.CharField(max_length=64, unique=True)
    # The name is kept beside the link: a key outlives the member who made it.
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    member_name = models.CharField(max_length=150)
    label = models.CharField(max_length=200)
    permission = models.CharField(max_length=10, choices=[(p, p) for p in Permission])
    lifetime = models.DurationField(null=True)
    requested_at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=12, choices=Outcome, default=Outcome.REQUESTED)
    token_hash = models.CharField(max_length=43, blank=True, db_index=True)

    def __str__(self) -> str:
        return f"creation {self.pk}: {self.outcome}"

    @property
    def fingerprint(self) -> str:
        return self.token_hash[:8]

    @property
    def lifetime_text(self) -> str:
        return describe(self.lifetime)

    def is_overdue(self, patience: timedelta) -> bool:
        """Whether the process that asked Estuary must have given up by now."""
        return timezone.now() - self.requested_at > patience


class AuditEntry(models.Model):
    """Who did what, for whom, to which key, from where, and what came of it."""

    class Outcome(models.TextChoices):
        STARTED = "started", "Started"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"

    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10, choices=Outcome)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    # Names are kept beside the links: a row must still say who, when the member is gone.
    actor_name = models.CharField(max_length=150, blank=True)
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    on_behalf_of_name = models.CharField(max_length=150, blank=True)
    token_hash = models.CharField(max_length=43, blank=True, db_index=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome}"

    @property
    def fingerprint(self) -> str:
        return self.token_hash[:8]


class ExportLease(models.Model):
    """An export that is under way; one account has one at most, on whichever machine."""

    # Not the member: two who connected the same key share one account.
    token_hash = models.CharField(max_length=43, unique=True)
    until = models.DateTimeField()  # a process that died frees the account then

    def __str__(self) -> str:
        return f"export of {self.token_hash[:8]} until {self.until}"


class Preferences(models.Model):
    """How a member wants to see the console."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="preferences"
    )
    theme = models.CharField(max_length=6, choices=THEMES, default="system")
    time_zone = models.CharField(max_length=64, blank=True)  # "" = as the browser says
    # Also in the database: a version that does not know it yet goes on writing rows.
    shortcuts = models.BooleanField(default=True, db_default=True)

    def __str__(self) -> str:
        return f"preferences of member {self.member_id}"
