"""The policy applied to an account, for the services that make keys."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from estuary_admin.members import is_admin
from keys.actors import Actor
from keys.models import Rotation
from keys.policy.load import current_policy
from keys.policy.rules import (
    Field,
    Policy,
    PolicyRefused,
    Problem,
    problems_of,
    replaced_sentence,
    replaces_sentence,
)
from keys.upstream import ApiKey, KeyList, KeySpec, fingerprint_of


def check_new_key(
    actor: Actor,
    spec: KeySpec,
    purpose: str,
    listed: KeyList,
    *,
    replaced: ApiKey | None = None,
    more: int = 0,
) -> None:
    """Raise PolicyRefused unless the policy allows this key in the account with this list.

    `more` is how many keys are made before this one. In an account that has its most keys, one may
    be exchanged for another all the same: both work for a while, so there are never more than
    twice as many.
    """
    policy, counted = current_policy(), _counted(listed)
    is_full = policy.max_keys is not None and len(counted) >= policy.max_keys
    count = 0 if replaced else len(counted) + more
    found = problems_of(policy, spec, purpose, is_admin=is_admin(actor.member), key_count=count)
    if replaced and is_full and (sentence := _why_not_exchanged(policy, replaced, counted)):
        found.append(Problem(Field.NONE, sentence))
    if found:
        raise PolicyRefused(found)


def _counted(listed: KeyList) -> list[ApiKey]:
    counted = [key for key in listed.keys if not key.is_session]
    if listed.node_time:
        counted = [key for key in counted if not key.is_expired(listed.node_time)]
    return counted


def _why_not_exchanged(policy: Policy, key: ApiKey, counted: Collection[ApiKey]) -> str:
    """Why this key of a full account may not be exchanged; "" when it may.

    While a key works that was exchanged for it, or that it was exchanged for, it has had its turn.
    """
    tied = Q(old_hash=key.token_hash) | Q(creation__token_hash=key.token_hash)
    rotations = Rotation.objects.filter(tied, keeps_old=False)
    working = {one.token_hash for one in counted}
    for old_hash, new_hash in rotations.values_list("old_hash", "creation__token_hash"):
        if new_hash == key.token_hash and old_hash in working:
            return replaces_sentence(policy, len(counted), fingerprint_of(old_hash))
        if old_hash == key.token_hash and new_hash in working:
            return replaced_sentence(policy, len(counted), fingerprint_of(new_hash))
    return ""
