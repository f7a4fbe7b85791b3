"""Members' notes about keys. They are not sent to Estuary."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class KeyNote(models.Model):
    """The note about one key.

    The token hash alone identifies it: a hash belongs to one key of one account, at any node, and
    stays the same when a member connects another token or several members connect one account.
    Whose list holds the key may read and change the note. `members` are those who wrote it: they
    may read it after the key has left the list.
    """

    token_hash = models.CharField(max_length=43, unique=True)
    display_name = models.CharField(max_length=100, blank=True)
    purpose = models.CharField(max_length=500, blank=True)
    system = models.CharField(max_length=200, blank=True)
    contact = models.CharField(max_length=200, blank=True)
    note = models.TextField(max_length=2000, blank=True)
    # All fields in one, as `unicode_text.comparable` compares them.
    search_text = models.TextField(blank=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    # The name is kept: a note outlives the member who wrote it.
    changed_by = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return f"note of {self.token_hash[:8]}"
