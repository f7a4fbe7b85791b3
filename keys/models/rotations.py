"""Keys that are being replaced: until when the old one works, and what became of it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from keys.models.api_keys import KeyCreation
from keys.models.jobs import Claimable
from keys.upstream import fingerprint_of


class Rotation(Claimable):
    """One key that another one replaces. `due_at` is when the worker looks at it next."""

    class State(models.TextChoices):
        REQUESTED = "requested", "The new key is being made"
        OVERLAP = "overlap", "Both keys work"
        ENDED = "ended", "The old key has ended"
        KEPT = "kept", "The old key is kept"
        RECREATED = "recreated", "The old key had ended before"

    class Need(models.TextChoices):
        """What the worker waits for before it can end the old key."""

        NONE = "", "Nothing"
        TOKEN = "token", "A connected token"
        VALID_TOKEN = "valid-token", "A token that Estuary accepts"
        SAME_ACCOUNT = "same-account", "A token of the account that holds the key"

    # A rotation outlives its member, as the record of a creation does.
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    creation = models.OneToOneField(KeyCreation, models.CASCADE, related_name="rotation")
    old_hash = models.CharField(max_length=43, db_index=True)
    old_label = models.CharField(max_length=200, blank=True)
    old_expiry = models.DateTimeField()  # by the node's clock
    # The stored token that asked for it: a list that this token gets is of the same account.
    stored_hash = models.CharField(max_length=43)
    requested_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()  # when the old key is to end, by our clock
    latest_end = models.DateTimeField()  # the old key's own end, by our clock
    ended_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    need = models.CharField(max_length=12, choices=Need, default=Need.NONE, blank=True)
    reason = models.CharField(max_length=40, blank=True)  # why the old key is kept
    # The console takes a key of its own, and the old one stays: it is the member's.
    keeps_old = models.BooleanField(default=False, db_default=False)
    # The new token, sealed, from its creation until the console works with it; only when the old
    # key is the console's own.
    sealed_candidate = models.TextField(blank=True)
    #: By when an admin's request would have the old key revoked; only where it was looked up.
    deadline: datetime | None = None

    class Meta:
        verbose_name = "rotation"
        constraints = [
            models.UniqueConstraint(
                fields=["old_hash"],
                condition=Q(state__in=["requested", "overlap"]),
                name="one_open_rotation_of_a_key",
            )
        ]

    def __str__(self) -> str:
        return f"rotation of {self.fingerprint}: {self.state}"

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.old_hash)

    @property
    def new_hash(self) -> str:
        return self.creation.token_hash

    @property
    def new_fingerprint(self) -> str:
        return fingerprint_of(self.new_hash)

    @property
    def is_open(self) -> bool:
        return self.state in {self.State.REQUESTED, self.State.OVERLAP}

    @property
    def end_reason(self) -> str:
        """What decides when the old key ends, to follow the moment; "" for the chosen overlap."""
        if self.ends_at == self.latest_end:
            return ", at its own end"
        if self.ends_at == self.deadline:
            return ", by when an admin asked for its rotation"
        return ""

    @property
    def has_overlap(self) -> bool:
        """Whether both keys work until the old one is ended."""
        return self.state == self.State.OVERLAP and not self.keeps_old

    @property
    def need_sentence(self) -> str:
        return NEED_SENTENCES.get(self.need, "")

    @property
    def kept_sentence(self) -> str:
        return KEPT_SENTENCES.get(self.reason, KEPT_UNCERTAIN)

    @property
    def is_due(self) -> bool:
        """Whether the old key should have ended by now."""
        return self.state == self.State.OVERLAP and self.ends_at <= timezone.now()

    @property
    def is_of_console(self) -> bool:
        """Whether the old key was the one that the console itself worked with."""
        return self.old_hash == self.stored_hash


NEED_SENTENCES: dict[str, str] = {
    Rotation.Need.TOKEN: "No token is connected. Connect a token of the account that holds the "
    "key.",
    Rotation.Need.VALID_TOKEN: "Estuary refuses the connected token, or it cannot be read. Connect "
    "a valid token of the account that holds the key.",
    Rotation.Need.SAME_ACCOUNT: "Another token is connected, which does not list this key. Connect "
    "a token of the account that holds it.",
}

#: The reason of a rotation that was to keep the old key.
PASTED = "pasted"
#: The reason of a rotation that was open when its member was off-boarded.
OFF_BOARDED = "off-boarded"
#: Why an old key is kept after all, by the reason in its row.
KEPT_SENTENCES = {
    PASTED: "It was pasted to connect the console. Revoke it if nothing else uses it.",
    OFF_BOARDED: "The member was off-boarded before it had ended. Revoke it if nothing uses it.",
    "replacement-gone": "The key that replaces it does not work any more, so ending this one could "
    "stop your programs. Revoke it yourself when nothing uses it.",
    "used-by-console": "This console works with it. Connect another token, then revoke it.",
    "token-lost": "The new key was revoked, because its token was lost: this console goes on with "
    "the old one.",
    "key-not-known": "The token of the new key was lost, and Estuary's list does not tell which "
    "key it is: this console goes on with the old one. Look for a new key that you do not know, "
    "and revoke it.",
    "new-key-refused": "Estuary refuses the new token, so the console goes on with this key.",
}
KEPT_UNCERTAIN = "It was not certain that a new key works."
