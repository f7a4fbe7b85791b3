"""Moving the console from its stored token to a new key, without ever being locked out.

The new token is sealed into the rotation first, so that another process can go on after each step.
Then Estuary is asked whether it works, and only a token that works becomes the stored one. The old
key ends after that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from estuary_admin.storage.connections import write_with_retries
from keys.actors import Actor
from keys.models import ConsoleKey, OffBoarding, Rotation, StoredToken
from keys.models.rotations import PASTED
from keys.token.stored_tokens import (
    NotConnected,
    of_member,
    prove_candidate,
    sealed_candidate,
    swap_token,
)

#: How long before its end the console renews its own key.
RENEW_BEFORE = timedelta(days=14)


@sensitive_variables("token")
def keep_candidate(stored: StoredToken, rotation: Rotation, token: str) -> None:
    """Seal the new token into the rotation; from then on the worker can finish the exchange."""
    sealed = sealed_candidate(stored.member, token)
    # An off-boarding closes the rotation: no token of the member is kept after that.
    open_states = [Rotation.State.REQUESTED, Rotation.State.OVERLAP]
    row = Rotation.objects.filter(pk=rotation.pk, state__in=open_states)
    write_with_retries(lambda: row.update(sealed_candidate=sealed), "candidate_not_kept")
    rotation.sealed_candidate = sealed


def adopt(
    actor: Actor, stored: StoredToken, rotation: Rotation, *, timeout: float | None = None
) -> StoredToken:
    """Prove the new token, then make it the stored one; returns the stored token afterwards.

    It is another one than the new token when the member connected one meanwhile. Raises
    UpstreamError when Estuary refuses the new token or cannot be asked: the console goes on with
    the old one. Raises NotConnected when the member has disconnected, or is being off-boarded.
    """
    if stored.token_hash == rotation.old_hash:
        prove_candidate(actor, stored.member, rotation.sealed_candidate, timeout)
    write_with_retries(lambda: _swap(actor, rotation), "token_not_swapped")
    rotation.sealed_candidate = ""
    return of_member(stored.member)


def _swap(actor: Actor, rotation: Rotation) -> None:
    changes: dict[str, Any] = {"due_at": max(rotation.ends_at, timezone.now())}
    if rotation.keeps_old:
        changes = {"due_at": None, "state": Rotation.State.KEPT, "reason": PASTED}
    if OffBoarding.is_open_for(rotation.member_id):
        raise NotConnected
    with transaction.atomic():
        if swap_token(actor, rotation.old_hash, rotation.sealed_candidate, rotation.new_hash):
            _plan_renewal(rotation)
        Rotation.objects.filter(pk=rotation.pk).update(sealed_candidate="", **changes)
    for name, value in changes.items():
        setattr(rotation, name, value)


def _plan_renewal(rotation: Rotation) -> None:
    """The console renews keys that it made for itself; one that a member rotates stays such."""
    record = rotation.creation
    was_own = ConsoleKey.objects.filter(member=rotation.member, token_hash=rotation.old_hash)
    if not (rotation.keeps_old or was_own.exists()):
        return
    due_at = None  # a key without an end needs no renewal
    if record.lifetime:
        due_at = record.requested_at + record.lifetime - min(RENEW_BEFORE, record.lifetime / 3)
    ConsoleKey.objects.update_or_create(
        member=rotation.member,
        defaults={"token_hash": record.token_hash, "due_at": due_at, "failures": 0},
    )
