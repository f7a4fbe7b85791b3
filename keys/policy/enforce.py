"""The policy applied to an account, for the services that make keys."""

from __future__ import annotations

from estuary_admin.members import is_admin
from keys.actors import Actor
from keys.policy.load import current_policy
from keys.policy.rules import PolicyRefused, problems_of
from keys.upstream import KeyList, KeySpec


def check_new_key(
    actor: Actor,
    spec: KeySpec,
    purpose: str,
    listed: KeyList,
    *,
    replaces_one: bool = False,
    more: int = 0,
) -> None:
    """Raise PolicyRefused unless the policy allows this key in the account with this list.

    A key that replaces another one does not count towards the most keys of an account. `more` is
    how many keys are made before this one.
    """
    counted = [key for key in listed.keys if not key.is_session]
    if listed.node_time:
        counted = [key for key in counted if not key.is_expired(listed.node_time)]
    count = 0 if replaces_one else len(counted) + more
    found = problems_of(
        current_policy(), spec, purpose, is_admin=is_admin(actor.member), key_count=count
    )
    if found:
        raise PolicyRefused(found)
