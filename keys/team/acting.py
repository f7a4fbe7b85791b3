"""Acts of an admin for a member: revoke a key, ask for a connection."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from estuary_admin.storage.connections import write_surely
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.incidents import note_incident
from keys.api_keys.revoke import revoke_key
from keys.api_keys.revoke_outcome import ENDED, Revocation
from keys.api_keys.rows import name_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import SeenKey, StoredToken, SyncedAccount
from keys.notices.acting_admins import asked_to_connect, key_revoked
from keys.notices.outbox import enqueue
from keys.team.inventory import key_of, row_of
from keys.token.stored_tokens import of_member


class ListInDoubt(Exception):
    """Estuary's list lacks the key, but may be wrong for the reason in `sentence`."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def find_key(actor: Actor, member: User, token_hash: str) -> SeenKey | None:
    """A key of a member as the worker saw it; one that is newer, as Estuary lists it.

    Raises ListInDoubt, SealBroken and UpstreamError when it cannot say that there is none.
    """
    seen = SeenKey.objects.filter(account__member=member, token_hash=token_hash)
    if row := seen.select_related("account__member").first():
        return row
    stored = StoredToken.objects.filter(member=member).select_related("member").first()
    if stored is None:
        return None
    listed = key_lists.list_for(stored, actor, token_hash)
    if key := listed.find(token_hash):
        return row_of(SyncedAccount(member=member), listed, key)
    if doubt := listed.doubt_about(token_hash):
        raise ListInDoubt(doubt)
    return None


def revoke_for(
    actor: Actor, member: User, seen: SeenKey, reason: str, *, is_incident: bool = False
) -> Revocation:
    """Revoke a member's key with the member's stored token, and tell the member.

    Raises NotConnected, and what `revoke_key` raises: nothing was done then.
    """
    stored = of_member(member)
    acting = actor.for_member(member, reason)
    result = revoke_key(acting, stored, seen.token_hash)
    if is_incident and result.is_held:
        note_incident(acting, seen.token_hash, reason)
    name = name_of(key_of(seen), seen.token_hash)
    admin = actor.known_member.get_username()

    def conclude() -> None:
        with transaction.atomic():
            enqueue(member, key_revoked(member, admin, name, reason, result.outcome))
            if result.outcome in ENDED:
                SeenKey.objects.filter(account__member=member, token_hash=seen.token_hash).delete()

    write_surely(conclude, "revocation_not_told")
    return result


def ask_to_connect(actor: Actor, member: User) -> None:
    """Remind a member who is not connected, over every channel that works without a connection."""
    with transaction.atomic():
        enqueue(member, asked_to_connect(member, actor.known_member.get_username()))
        record_action(actor, Action.CONNECTION_ASKED_FOR, on_behalf_of=member)
