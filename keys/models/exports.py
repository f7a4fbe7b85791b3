"""Exports that are being streamed."""

from __future__ import annotations

from django.db import models

from keys.upstream import fingerprint_of


class ExportLease(models.Model):
    """An export that is under way; one account has one at most, on whichever machine."""

    # Not the member: two who connected the same key share one account.
    token_hash = models.CharField(max_length=43, unique=True)
    until = models.DateTimeField()  # a process that died frees the account then

    def __str__(self) -> str:
        return f"export of {fingerprint_of(self.token_hash)} until {self.until}"
