"""What became of a creation whose process was ended before it could say: Estuary's list tells."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, StoredToken
from keys.token.stored_tokens import client_for, forget_list
from keys.upstream import ApiKey, KeyList, UpstreamError

SKEW = timedelta(minutes=1)  # between the node's clock and ours

Outcome = KeyCreation.Outcome


def find_out_late(actor: Actor, stored: StoredToken, record: KeyCreation) -> None:
    """Look at the list now and keep what it tells, if nobody can be at work on it any more.

    What cannot be told stays as it is, and may be asked again.
    """
    long_enough = timedelta(seconds=2 * settings.ESTUARY_TIMEOUT) + SKEW
    if not record.is_overdue(long_enough):
        return
    try:
        outcome, token_hash = judged(record, client_for(stored, actor).list_keys())
    except UpstreamError:
        return
    if outcome is Outcome.UNKNOWN:
        return
    with transaction.atomic():
        open_still = KeyCreation.objects.filter(pk=record.pk, outcome=Outcome.REQUESTED)
        if open_still.update(outcome=outcome, token_hash=token_hash):
            forget_list(stored)
            record_action(
                actor,
                Action.KEY_CREATED,
                AuditOutcome.FAILED,
                token_hash=token_hash,
                detail={"reason": "found-out-late"},
            )
    record.refresh_from_db()


def judged(record: KeyCreation, listed: KeyList) -> tuple[Outcome, str]:
    """A key that nobody else made here, with that label and that end, can only be this one."""
    if listed.unreadable or (listed.keys and not any(key.label for key in listed.keys)):
        return Outcome.UNKNOWN, ""
    same = [key for key in listed.keys if key.label == record.label]
    hashes = [key.token_hash for key in same]
    others = KeyCreation.objects.filter(token_hash__in=hashes).values_list("token_hash", flat=True)
    unclaimed = [key for key in same if key.token_hash not in set(others)]
    if not unclaimed:
        return Outcome.NOT_CREATED, ""
    fitting = [key for key in unclaimed if _fits(key, record)]
    # One that ends at another time may be somebody's good key: better no answer than that one.
    return (Outcome.LOST, fitting[0].token_hash) if len(fitting) == 1 else (Outcome.UNKNOWN, "")


def _fits(key: ApiKey, record: KeyCreation) -> bool:
    if record.lifetime is None:  # all that never end, end at about the same time
        return False
    made = key.expiry - record.lifetime
    latest = record.requested_at + timedelta(seconds=settings.ESTUARY_TIMEOUT) + SKEW
    return record.requested_at - SKEW <= made <= min(latest, timezone.now() + SKEW)
