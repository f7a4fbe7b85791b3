"""Each connected account as the worker last saw it. No row holds a token."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of

MAX_LABEL = 500  # characters; Estuary takes labels of any length


class SyncedAccount(Claimable):
    """A member's account at Estuary; `due_at` is when the worker looks at it next.

    `due_at` is empty while the member has no stored token. What was seen stays: the keys still
    exist at Estuary.
    """

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="synced_account"
    )
    #: Another one when the member connects another account of Estuary.
    epoch = models.UUIDField(default=uuid.uuid4)
    token_hash = models.CharField(max_length=43, blank=True)  # of the token of the last look
    list_hash = models.CharField(max_length=64, blank=True)
    as_of = models.DateTimeField(null=True)  # when Estuary last gave a list
    clock_ahead = models.DurationField(default=timedelta)
    trouble = models.CharField(max_length=300, blank=True)  # of the last look, as a sentence
    is_refused = models.BooleanField(default=False)  # Estuary refuses the stored token
    total_size = models.BigIntegerField(null=True)
    pin_count = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "look at an account"

    def __str__(self) -> str:
        return f"account of member {self.member_id}"


class SeenKey(models.Model):
    """A key as Estuary last listed it, with what the console knows of it."""

    account = models.ForeignKey(SyncedAccount, models.CASCADE, related_name="keys")
    token_hash = models.CharField(max_length=43, db_index=True)
    owner = models.CharField(max_length=150)  # kept beside the link: the table is sorted by it
    label = models.CharField(max_length=MAX_LABEL, blank=True)
    # As `unicode_text.comparable` compares them.
    label_sort = models.CharField(max_length=100, blank=True)
    search_text = models.TextField(blank=True)
    permission = models.CharField(max_length=10, blank=True)  # "" when it was made elsewhere
    is_made_here = models.BooleanField(default=False)
    expiry = models.DateTimeField()
    is_session = models.BooleanField(default=False)
    is_legacy = models.BooleanField(default=False)
    # Against the policy: for a reason that lasts, or until the time that is left is short enough.
    breaks_policy = models.BooleanField(default=False)
    too_long_until = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "token_hash"], name="seen_once_per_account")
        ]
        indexes = [
            models.Index(fields=["expiry", "id"], name="seen_by_expiry"),
            models.Index(fields=["label_sort", "id"], name="seen_by_label"),
            models.Index(fields=["owner", "id"], name="seen_by_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint} of {self.owner}"

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)


class StatsSample(models.Model):
    """The amount that an account stored on one day."""

    account = models.ForeignKey(SyncedAccount, models.CASCADE, related_name="samples")
    epoch = models.UUIDField()
    day = models.DateField(db_index=True)
    total_size = models.BigIntegerField()
    pin_count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "epoch", "day"], name="one_sample_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.total_size} bytes"


class TeamSample(models.Model):
    """The sums of all accounts on one day, as the worker last saw them."""

    day = models.DateField(unique=True)
    # Connected accounts whose figures nobody has read yet: the sums leave them out.
    missing_accounts = models.PositiveIntegerField(default=0, db_default=0)
    total_size = models.BigIntegerField()
    pin_count = models.BigIntegerField()
    members = models.PositiveIntegerField()
    keys = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.day}: {self.total_size} bytes of {self.members} members"
