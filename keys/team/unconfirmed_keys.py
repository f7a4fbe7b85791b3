"""The keys of a member that may still work although Estuary can no longer be asked about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry, KeyCreation, SeenKey
from keys.team.inventory import in_parts
from keys.upstream import ApiKey
from keys.upstream.durations import LONGEST as PERMANENT_LIFETIME

#: The outcomes of creations that may have made a key whose hash is not known.
UNRESOLVED = (
    KeyCreation.Outcome.REQUESTED,
    KeyCreation.Outcome.LOST,
    KeyCreation.Outcome.UNKNOWN,
)


def keys_not_known_to_have_ended(member_id: int) -> list[ApiKey]:
    """The keys that the worker saw last, and those made here since, which it never saw."""
    seen = SeenKey.objects.filter(account__member=member_id, expiry__gt=timezone.now())
    keys = {
        one.token_hash: ApiKey(one.token_hash, one.label, one.expiry, one.is_session)
        for one in seen
    }
    made = {one.token_hash: one for one in _creations(member_id) if one.token_hash}
    for token_hash in made.keys() - keys.keys() - _known_to_have_ended(made):
        record = made[token_hash]
        keys[token_hash] = ApiKey(token_hash, record.label, _end_of(record), is_session=False)
    return list(keys.values())


def has_unresolved_creation(member_id: int) -> bool:
    """Whether a request may have made a key that nothing here names."""
    return any(one.outcome in UNRESOLVED and not one.token_hash for one in _creations(member_id))


def _creations(member_id: int) -> list[KeyCreation]:
    """The creations whose key, if there is one, has not reached its own end."""
    found = KeyCreation.objects.filter(member=member_id).order_by("pk")
    return [one for one in found if _end_of(one) > timezone.now()]


def _end_of(record: KeyCreation) -> datetime:
    # Estuary counts from the moment when it makes the key.
    made_at = record.requested_at + timedelta(seconds=settings.ESTUARY_TIMEOUT)
    return made_at + (record.lifetime or PERMANENT_LIFETIME)


def _known_to_have_ended(token_hashes: Iterable[str]) -> set[str]:
    """The keys whose revocation Estuary's list confirmed, or that a whole list lacked later."""
    ended: set[str] = set()
    for part in in_parts(list(token_hashes)):
        rows = AuditEntry.objects.filter(token_hash__in=part)
        rows = rows.filter(
            action__in=[Action.KEY_REVOKED, Action.KEY_VANISHED], outcome=Outcome.DONE
        )
        ended.update(rows.values_list("token_hash", flat=True))
    return ended
