"""The secrets of webhooks and feeds: sealed at rest, shown to their member only."""

from __future__ import annotations

import base64
import hashlib
import os

from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.sealing import SealBroken, is_newest, seal_for, unseal_for
from keys.models import Reminders

SECRET_BYTES = 32
WEBHOOK_PREFIX = "whsec_"  # as Standard Webhooks writes secrets


@sensitive_variables("secret")
def new_webhook_secret(member_id: int) -> str:
    """A new secret, sealed for that member."""
    secret = WEBHOOK_PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()
    return seal_for(_purpose("webhook", member_id), secret)


def webhook_secret(member_id: int, sealed: str) -> str:
    """The secret in clear; raises SealBroken."""
    return unseal_for(_purpose("webhook", member_id), sealed)


@sensitive_variables("secret")
def new_feed_secret(member_id: int) -> tuple[str, str]:
    """A new secret, as its hash and sealed for that member."""
    secret = base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).decode().rstrip("=")
    return feed_hash(secret), seal_for(_purpose("feed", member_id), secret)


def feed_secret(member_id: int, sealed: str) -> str:
    """The secret in clear; raises SealBroken."""
    return unseal_for(_purpose("feed", member_id), sealed)


def feed_hash(secret: str) -> str:
    """The hash by which the feed with this secret is found."""
    return hashlib.sha256(secret.encode()).hexdigest()


def reseal_secrets() -> tuple[int, int]:
    """Move every secret here to the newest sealing key; returns (moved, unreadable)."""
    moved = unreadable = 0
    for row in Reminders.objects.iterator():
        for field, what in (("webhook_secret", "webhook"), ("feed_secret", "feed")):
            sealed: str = getattr(row, field)
            if not sealed or is_newest(sealed):
                continue
            purpose = _purpose(what, row.member_id)
            try:
                resealed = seal_for(purpose, unseal_for(purpose, sealed))
            except SealBroken:
                unreadable += 1
                continue
            # Compare and swap: the member may be changing it right now.
            moved += Reminders.objects.filter(pk=row.pk, **{field: sealed}).update(
                **{field: resealed}
            )
    return moved, unreadable


def _purpose(what: str, member_id: int) -> str:
    return f"{what} of member {member_id}"
