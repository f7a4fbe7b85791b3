"""A member's preferences."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from keys.account.choices import THEMES


class Preferences(models.Model):
    """A member's preferences."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="preferences"
    )
    theme = models.CharField(max_length=6, choices=THEMES, default="system")
    time_zone = models.CharField(max_length=64, blank=True)  # "": as the browser says
    # The default is in the database too: the version before this column goes on writing rows.
    shortcuts = models.BooleanField(default=True, db_default=True)
    # Fingerprints of the keys in plain text whose count over the list was dismissed.
    dismissed_plain_text = models.TextField(blank=True, default="", db_default="")

    def __str__(self) -> str:
        return f"preferences of member {self.member_id}"
