"""The sealed token with which the console acts for a member."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of


class StoredToken(models.Model):
    """The token with which this console acts for a member; unsealed only in `stored_tokens`."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="stored_token"
    )
    sealed = models.TextField()
    token_hash = models.CharField(max_length=43)
    connected_at = models.DateTimeField(default=timezone.now)
    # Each change of ours increments it, so that no process shows a list from before the change.
    list_version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.fingerprint} of member {self.member_id}"

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)


class ConsoleKey(Claimable):
    """A key that the console made for itself; `due_at` is when it is renewed."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="console_key"
    )
    token_hash = models.CharField(max_length=43)

    class Meta:
        verbose_name = "console key"

    def __str__(self) -> str:
        return f"{fingerprint_of(self.token_hash)} of member {self.member_id}"
