"""Exports that are being streamed."""

from __future__ import annotations

from django.conf import settings
from django.db import models

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
