"""Filters of the team's keys that admins have saved."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A filter of `/team/keys/` under a name, for the admin who saved it."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)  # as in an address, without "?"

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["member", "name"], name="view_name_once_per_member")
        ]

    def __str__(self) -> str:
        return self.name
