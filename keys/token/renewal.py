"""A key that the console makes for itself, uses instead of the pasted one, and renews in time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from keys.actors import Actor
from keys.api_keys import revoke
from keys.api_keys.lost_creations import find_out_late
from keys.api_keys.revoke_outcome import ENDED
from keys.api_keys.rotate import Rotated, rotate_key
from keys.api_keys.rotations import Replacement
from keys.jobs import claims
from keys.models import ConsoleKey, KeyCreation, Rotation, StoredToken
from keys.models.api_keys import RENEWAL
from keys.models.rotations import PASTED
from keys.policy.load import current_policy
from keys.policy.rules import PolicyRefused
from keys.upstream import KeySpec, Permission

logger = logging.getLogger("estuary_admin.keys")

LABEL = "Estuary Admin"
PURPOSE = "This console works with it"
LIFETIME = timedelta(days=90)
LOOK_AGAIN_AFTER = timedelta(hours=1)


class NotSettled(Exception):
    """The outcome of an earlier renewal is not known yet; the worker looks again."""


def take_own_key(actor: Actor, stored: StoredToken, nonce: str) -> Rotated:
    """Create a key of the console's own and change over to it; the pasted one stays as it is.

    Raises what `create_key` raises, when no key was made.
    """
    replaces = Replacement(stored.token_hash, keeps_old=True)
    return rotate_key(actor, stored, replaces, _spec(), nonce, PURPOSE)


def is_taken(actor: Actor, rotated: Rotated) -> bool:
    """Whether the console works with the new key now."""
    rotation = rotated.rotation
    if rotation is None or rotation.reason != PASTED:
        return False
    # The exchange also ends when the member has connected another key meanwhile.
    return StoredToken.objects.filter(member=actor.member, token_hash=rotation.new_hash).exists()


def renews_at(stored: StoredToken | None) -> datetime | None:
    """When the console renews the key that it works with; None if it does not."""
    if stored is None or Permission.ALL not in current_policy().permissions:
        return None
    own = ConsoleKey.objects.filter(member=stored.member_id, token_hash=stored.token_hash).first()
    return own.due_at if own else None


def _spec() -> KeySpec:
    """The key to create, within the policy where possible; `create_key` checks the rest."""
    policy = current_policy()
    lifetime = min(LIFETIME, policy.longest_lifetime or LIFETIME)
    label = LABEL if policy.allows_label(LABEL) else policy.label_example
    return KeySpec(label, lifetime, Permission.ALL)


def renew_due() -> None:
    """Renew the console's own keys whose end is near; for the worker."""
    claims.work_off(ConsoleKey.objects.select_related("member"), _renew)


def _renew(row: ConsoleKey) -> None:
    stored = StoredToken.objects.select_related("member").filter(member=row.member).first()
    if stored is None or stored.token_hash != row.token_hash:
        claims.conclude(row)  # the member has connected another one
        return
    if not row.member.is_active:  # perhaps being off-boarded, which a new key would survive
        claims.conclude(row, again_at=timezone.now() + LOOK_AGAIN_AFTER)
        return
    actor = Actor.for_job("renew", row.member)
    # The hash of the key in the nonce: two workers cannot make two keys for one try.
    tries = KeyCreation.objects.filter(nonce__startswith=_nonce(row, ""))
    last = tries.order_by("pk").last()
    if last is None or _is_given_up(actor, stored, last):
        claims.confirm(row)
        nonce = _nonce(row, str(tries.count()))
        try:
            rotate_key(actor, stored, Replacement(row.token_hash), _spec(), nonce, PURPOSE)
        except PolicyRefused as error:  # it forbids full access; the member is reminded of the end
            logger.warning("console_key_not_renewed", extra={"reason": error.sentence})
    fresh = ConsoleKey.objects.get(pk=row.pk)
    is_renewed = fresh.token_hash != row.token_hash
    claims.conclude(row, again_at=fresh.due_at if is_renewed else timezone.now() + LOOK_AGAIN_AFTER)


def _nonce(row: ConsoleKey, number: str) -> str:
    return f"{RENEWAL}{row.token_hash}:{number}"


def _is_given_up(actor: Actor, stored: StoredToken, record: KeyCreation) -> bool:
    """Whether an earlier try has ended without a key that the console can use.

    Nobody has the token of a key that it made, so that key is revoked.
    """
    if record.outcome == KeyCreation.Outcome.REQUESTED:
        find_out_late(actor, stored, record)
    if record.outcome == KeyCreation.Outcome.REQUESTED:
        raise NotSettled
    rotation = Rotation.objects.get(creation=record)
    if rotation.sealed_candidate:
        return False  # `end_due` finishes the exchange
    if (
        record.token_hash
        and revoke.revoke_key(actor, stored, record.token_hash).outcome not in ENDED
    ):
        raise NotSettled
    rows = Rotation.objects.filter(pk=rotation.pk, state=Rotation.State.OVERLAP)
    rows.update(state=Rotation.State.KEPT, reason="token-lost", due_at=None)
    return True
