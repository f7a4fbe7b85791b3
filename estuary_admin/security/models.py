"""Sessions as their member sees them, known addresses, and links to set a password."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class MemberSession(models.Model):
    """Replaces allauth's model: it needs an address, and writes to the database on every page."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, unique=True)
    device = models.CharField(max_length=80)
    address = models.CharField(max_length=45, blank=True)
    signed_in_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-last_seen_at", "-pk"]

    def __str__(self) -> str:
        return f"session {self.pk} of member {self.member_id}"


class KnownAddress(models.Model):
    """An address from which a member has signed in with a password or a passkey."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    address = models.CharField(max_length=45)
    last_used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "address"], name="one_row_per_address")
        ]

    def __str__(self) -> str:
        return f"address {self.pk} of member {self.member_id}"


class PasswordLink(models.Model):
    """A link by which a member sets a password once; only the hash of its secret is kept."""

    member = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    secret_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"link {self.pk} for member {self.member_id}"
