"""Links an identity of single sign-on to a member."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Identity(models.Model):
    """A stable id from a source (an issuer or a proxy). Name and e-mail decide nothing."""

    class State(models.TextChoices):
        LINKED = "linked", "Linked"
        PENDING = "pending", "Waiting for an admin"

    source = models.CharField(max_length=255)
    stable_id = models.CharField(max_length=255)
    # While pending: the member of the same name, who may be another person.
    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="identities")
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=254, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.LINKED)
    # Whether its groups let the person in when they last came.
    is_admitted = models.BooleanField(default=True, db_default=True)
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(fields=["source", "stable_id"], name="one_row_per_identity")
        ]

    def __str__(self) -> str:
        return f"identity {self.pk} of {self.source}: {self.state}"

    @property
    def is_pending(self) -> bool:
        return self.state == self.State.PENDING
