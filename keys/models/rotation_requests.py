"""Rotations that admins ask members for."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of


class RotationRequest(Claimable):
    """An admin asks a member to rotate one key; `due_at` is when the worker looks at it."""

    class State(models.TextChoices):
        OPEN = "open", "Waits for the member"
        FULFILLED = "fulfilled", "The key was rotated"
        ENDED = "ended", "The key was revoked"
        WITHDRAWN = "withdrawn", "An admin withdrew it"

    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    token_hash = models.CharField(max_length=43, db_index=True)
    # The stored token that listed the key: a list that this token gets is of the same account.
    stored_hash = models.CharField(max_length=43, blank=True)
    reason = models.CharField(max_length=300)
    deadline = models.DateTimeField()  # by our clock
    revokes = models.BooleanField(default=False)  # the worker does, once the deadline has passed
    trouble = models.CharField(max_length=300, blank=True)  # why the worker could not yet
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "request for a rotation"
        constraints = [
            models.UniqueConstraint(
                fields=["member", "token_hash"],
                condition=Q(state="open"),
                name="one_open_request_for_a_rotation",
            )
        ]

    def __str__(self) -> str:
        return f"rotation of {fingerprint_of(self.token_hash)} until {self.deadline}"

    @property
    def is_overdue(self) -> bool:
        return self.state == self.State.OPEN and self.deadline <= timezone.now()
