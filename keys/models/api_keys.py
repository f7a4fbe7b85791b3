"""Records of the keys that this console created."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.upstream import Permission, describe, fingerprint_of

#: What the nonces begin with by which the console renews keys of its own.
RENEWAL = "renew:"


class KeyCreation(models.Model):
    """One request to create a key, claimed once by its nonce; afterwards the record of the key."""

    class Outcome(models.TextChoices):
        REQUESTED = "requested", "Not answered yet"
        CREATED = "created", "Created"
        UNLISTED = "unlisted", "Answered, but not listed by Estuary"
        LOST = "lost", "Created, but its token was lost"
        FOUND = "found", "Found in Estuary's list later"
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
    # Kept here until the key's hash is known, which its note needs.
    purpose = models.CharField(max_length=500, blank=True, default="", db_default="")
    requested_at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=12, choices=Outcome, default=Outcome.REQUESTED)
    token_hash = models.CharField(max_length=43, blank=True, db_index=True)

    def __str__(self) -> str:
        return f"creation {self.pk}: {self.outcome}"

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)

    @property
    def lifetime_text(self) -> str:
        return describe(self.lifetime)

    @property
    def is_renewal(self) -> bool:
        """Whether the console made the key to renew one of its own."""
        return self.nonce.startswith(RENEWAL)

    def is_overdue(self, patience: timedelta) -> bool:
        """Whether the process that asked Estuary has certainly given up."""
        # abs: after the clock was set back, an old request seems to lie ahead.
        return abs(timezone.now() - self.requested_at) > patience
