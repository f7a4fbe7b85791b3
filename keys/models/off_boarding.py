"""Members who leave: what is done about their keys, step by step."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of


class OffBoarding(Claimable):
    """One member's off-boarding; the worker does its steps in order and can resume at each."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Done, but not all confirmed"

    OPEN = (State.QUEUED, State.RUNNING)

    class Step(models.IntegerChoices):
        """The step that is done next."""

        LOCK = 1, "Disable the member; end sessions, calendar feed, webhook and exports"
        KEYS = 2, "Revoke the keys"
        HAND_OVER = 3, "Hand the kept keys over"
        TOKEN = 4, "Revoke the console's own key and destroy the stored token"
        REPORT = 5, "Write the report"

    number = models.UUIDField(unique=True, default=uuid.uuid4)
    # The names are kept beside the links: the report outlives the member.
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="off_boardings"
    )
    member_name = models.CharField(max_length=150)
    started_by_name = models.CharField(max_length=150)
    reason = models.CharField(max_length=300)
    keep = models.JSONField(default=list)  # token hashes
    successor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    successor_name = models.CharField(max_length=150, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    step = models.PositiveSmallIntegerField(choices=Step, default=Step.LOCK)
    trouble = models.CharField(max_length=300, blank=True)
    # An admin has decided not to wait for Estuary any longer.
    gives_up = models.BooleanField(default=False)
    # Estuary's whole list has shown that no key is left but those that were meant to be.
    is_list_settled = models.BooleanField(default=False, db_default=False)
    sessions_ended = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    audit_head = models.CharField(max_length=90, blank=True)

    class Meta:
        verbose_name = "off-boarding"
        constraints = [
            models.UniqueConstraint(
                fields=["member"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_open_off_boarding_of_a_member",
            )
        ]

    def __str__(self) -> str:
        return f"off-boarding of {self.member_name}: {self.state}"

    @classmethod
    def is_open_for(cls, member_id: int | None) -> bool:
        """Whether the member is being off-boarded."""
        return cls.objects.filter(member=member_id or 0, state__in=cls.OPEN).exists()

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN


class OffBoardedKey(models.Model):
    """The outcome for one key of a member who leaves."""

    class Outcome(models.TextChoices):
        REQUESTED = "requested", "Revocation requested"
        REVOKED = "revoked", "Revoked: Estuary no longer lists it"
        KEPT = "kept", "Kept and handed over"
        UNCONFIRMED = "unconfirmed", "Not confirmed: treat it as working"

    off_boarding = models.ForeignKey(OffBoarding, models.CASCADE, related_name="keys")
    token_hash = models.CharField(max_length=43)
    label = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome, default=Outcome.REQUESTED)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["off_boarding", "token_hash"], name="one_outcome_of_a_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint}: {self.outcome}"

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)
