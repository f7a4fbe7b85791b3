"""Changes in an account that were not made here: keys that appeared, keys that vanished."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from keys.api_keys.key_lists import Snapshot
from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry, KeyCreation, SeenKey, StoredToken, SyncedAccount
from keys.team.inventory import in_parts, key_of
from keys.upstream import ApiKey

#: A change of ours that has not been recorded after this long never will be.
PATIENCE = timedelta(minutes=10)
REVOCATIONS = [Action.KEY_REVOKE_REQUESTED, Action.KEY_REVOKED]


@dataclass(frozen=True, slots=True)
class Drift:
    """`must_wait`: a change of ours is under way that may explain the difference."""

    appeared: tuple[ApiKey, ...] = ()
    vanished: tuple[ApiKey, ...] = ()
    is_other_account: bool = False
    must_wait: bool = False


def between(account: SyncedAccount, stored: StoredToken, listed: Snapshot) -> Drift:
    """Compare what was seen last with what Estuary lists now.

    The first list of an account is no drift. A key that is missing proves nothing while the list
    could not be read whole.
    """
    seen = {row.token_hash: row for row in SeenKey.objects.filter(account=account)}
    now_listed = {key.token_hash: key for key in listed.keys}
    if account.as_of is None or _is_other_account(account, stored, seen, now_listed):
        return Drift(is_other_account=account.as_of is not None)
    new = [key for token_hash, key in now_listed.items() if token_hash not in seen]
    gone = [] if listed.unreadable else [row for h, row in seen.items() if h not in now_listed]
    made_here = _made_here([key.token_hash for key in new])
    appeared = [
        key
        for key in new
        if key.token_hash not in made_here and key.token_hash != stored.token_hash
    ]
    node_now = listed.node_now(timezone.now())
    ended_here = _ended_here([row.token_hash for row in gone])
    # Estuary itself removes session keys that have ended.
    vanished = [
        key_of(row)
        for row in gone
        if row.token_hash not in ended_here and not (row.is_session and row.expiry <= node_now)
    ]
    return Drift(
        tuple(appeared),
        tuple(vanished),
        must_wait=_is_being_created(account, appeared) or _is_being_revoked(account, vanished),
    )


def _is_other_account(
    account: SyncedAccount,
    stored: StoredToken,
    seen: Collection[str],
    now_listed: Collection[str],
) -> bool:
    """Whether another token was connected that lists none of the keys of before."""
    if account.token_hash == stored.token_hash:
        return False
    return not any(token_hash in now_listed for token_hash in seen)


def _made_here(token_hashes: list[str]) -> set[str]:
    return {
        token_hash
        for part in in_parts(token_hashes)
        for token_hash in KeyCreation.objects.filter(token_hash__in=part).values_list(
            "token_hash", flat=True
        )
    }


def _ended_here(token_hashes: list[str]) -> set[str]:
    """The keys whose last revocation from here did not fail."""
    last: dict[str, str] = {}
    for part in in_parts(token_hashes):
        rows = AuditEntry.objects.filter(token_hash__in=part, action__in=REVOCATIONS)
        last |= dict(rows.order_by("pk").values_list("token_hash", "outcome"))
    return {token_hash for token_hash, outcome in last.items() if outcome != Outcome.FAILED}


def _is_being_created(account: SyncedAccount, keys: Iterable[ApiKey]) -> bool:
    labels = {key.label for key in keys if not key.is_session}
    if not labels:
        return False
    running = KeyCreation.objects.filter(
        outcome=KeyCreation.Outcome.REQUESTED, requested_at__gt=timezone.now() - PATIENCE
    )
    # By label too: another member may have connected the same account.
    return running.filter(Q(member_id=account.member_id) | Q(label__in=labels)).exists()


def _is_being_revoked(account: SyncedAccount, keys: Iterable[ApiKey]) -> bool:
    """Whether a request of the last minutes that names no key may have been about these."""
    if not any(True for _ in keys):
        return False
    recent = AuditEntry.objects.filter(
        action=Action.KEY_REVOKE_REQUESTED, token_hash="", at__gt=timezone.now() - PATIENCE
    )
    number = account.member_id
    return recent.filter(Q(actor_id=number) | Q(on_behalf_of_id=number)).exists()
