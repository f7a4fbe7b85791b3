"""The data of all connected members in one archive, prepared for admins."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class TeamExport(models.Model):
    """One archive; its parts, one for each member, are prepared one after another."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        EXPIRED = "expired", "Expired"

    number = models.UUIDField(unique=True, default=uuid.uuid4)
    # The name is kept beside the link: the manifest outlives the member.
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    node = models.CharField(max_length=253)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "team export"
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=models.Q(state="running"),
                name="one_team_export_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"team export {self.number}"

    @property
    def is_final(self) -> bool:
        return self.state != self.State.RUNNING


class TeamExportPart(models.Model):
    """One member of a team export, and what became of their data."""

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        RUNNING = "running", "Running"
        READY = "ready", "Exported"
        FAILED = "failed", "Failed"

    team_export = models.ForeignKey(TeamExport, models.CASCADE, related_name="parts")
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    member_name = models.CharField(max_length=150)
    export = models.ForeignKey("PreparedExport", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=40, blank=True)
    sentence = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "part of a team export"

    def __str__(self) -> str:
        return f"{self.member_name}: {self.state}"

    @property
    def has_file(self) -> bool:
        """Whether it is in the archive: its file may have ended before the archive does."""
        if self.export is None or self.state != self.State.READY:
            return False
        return self.export.state == self.export.State.READY
