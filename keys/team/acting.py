"""What an admin does for a member: revoke a key, ask for a connection."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from estuary_admin.storage.retried_writes import write_surely
from keys.actors import Actor
from keys.api_keys.revoke import revoke_key
from keys.api_keys.revoke_outcome import ENDED, Revocation
from keys.api_keys.rows import name_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import SeenKey
from keys.notices.acting_admins import asked_to_connect, key_revoked
from keys.notices.outbox import enqueue
from keys.team.inventory import key_of
from keys.token.stored_tokens import of_member


def revoke_for(actor: Actor, member: User, seen: SeenKey, reason: str) -> Revocation:
    """Revoke a member's key with the member's stored token, and tell the member.

    Raises NotConnected, and what `revoke_key` raises: nothing was done then.
    """
    stored = of_member(member)
    acting = actor.for_member(member, reason)
    result = revoke_key(acting, stored, seen.token_hash)
    name = name_of(key_of(seen), seen.token_hash)
    is_certain = result.outcome in ENDED

    def conclude() -> None:
        with transaction.atomic():
            message = key_revoked(
                member, actor.known_member.get_username(), name, reason, is_certain=is_certain
            )
            enqueue(member, message)
            if is_certain:
                SeenKey.objects.filter(pk=seen.pk).delete()

    write_surely(conclude, "revocation_not_told")
    return result


def ask_to_connect(actor: Actor, member: User) -> None:
    """Remind a member who is not connected, over every channel that works without a connection."""
    with transaction.atomic():
        enqueue(member, asked_to_connect(member, actor.known_member.get_username()))
        record_action(actor, Action.CONNECTION_ASKED_FOR, on_behalf_of=member)
