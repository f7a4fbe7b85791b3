"""Finding out from Estuary's list what became of a creation whose end is not recorded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys.conclusions import Conclusion, write_conclusions
from keys.api_keys.rotations import GIVE_UP_AFTER
from keys.fetched import ahead_of
from keys.models import KeyCreation, Rotation, StoredToken
from keys.notices import lost_creations as notices
from keys.notices.outbox import enqueue
from keys.token.stored_tokens import client_for
from keys.upstream import ApiKey, EstuaryClient, KeyList, KeySpec, UpstreamError
from keys.upstream.durations import LONGEST as PERMANENT_LIFETIME

CLOCK_SLACK = timedelta(minutes=1)  # between the node's clock and ours
#: For so long after its request, a key of unknown outcome is looked for in Estuary's list.
LATE_FINDS = timedelta(days=1)

Outcome = KeyCreation.Outcome


def find_after_lost_answer(
    client: EstuaryClient, spec: KeySpec, before: KeyList, made: Collection[str] = ()
) -> tuple[Outcome, str]:
    """Look for a key that was not there before and has our label (or none, on old nodes).

    `made` are the hashes of the keys that the same form has made since.
    """
    try:
        after = client.list_keys()
    except UpstreamError:
        return Outcome.UNKNOWN, ""
    known = {key.token_hash for key in before.keys} | set(made)
    has_labels = any(key.label for key in after.keys)
    label = spec.label if has_labels else ""
    new = {key.token_hash for key in after.keys if key.label == label} - known
    new -= _created_here(new)  # another form made these keys, and a member has their tokens
    if not new:
        # A row that could not be read may be the one we look for.
        return Outcome.UNKNOWN if after.unreadable else Outcome.NOT_CREATED, ""
    # With two at once, another form was at work too: which one is ours cannot be told.
    return Outcome.LOST, new.pop() if len(new) == 1 else ""


def find_out_late(actor: Actor, stored: StoredToken, record: KeyCreation) -> bool:
    """Judge an overdue creation by the list, and record what it tells.

    What cannot be told stays open, and may be judged again. Returns whether there was a list.
    """
    longest = timedelta(seconds=2 * settings.ESTUARY_TIMEOUT) + CLOCK_SLACK
    if not record.is_overdue(longest):
        return False  # the process that asked Estuary may still be at work
    try:
        outcome, token_hash = judged(record, client_for(stored, actor).list_keys())
    except (UpstreamError, SealBroken):
        return False
    if outcome is not Outcome.UNKNOWN:
        _conclude(actor, stored, record, Conclusion(outcome, token_hash, "found-out-late"))
    return True


def _conclude(
    actor: Actor, stored: StoredToken, record: KeyCreation, conclusion: Conclusion
) -> None:
    """Record an outcome; the member is told when it stays unknown."""
    open_rotations = Rotation.objects.filter(creation=record, state=Rotation.State.REQUESTED)
    with transaction.atomic():
        rotation = open_rotations.first()
        is_news = write_conclusions(actor, stored, [(record, conclusion)])
        record.refresh_from_db()
        if is_news and conclusion.outcome is Outcome.UNKNOWN:
            enqueue(stored.member, notices.unknown(record, rotation))


def reconcile_overdue() -> int:
    """Judge all overdue creations of connected members; returns how many were settled."""
    settled = 0
    records = KeyCreation.objects.filter(outcome__in=[Outcome.REQUESTED, Outcome.UNKNOWN])
    records = records.exclude(outcome=Outcome.UNKNOWN, requested_at__lt=timezone.now() - LATE_FINDS)
    for record in records.select_related("member").order_by("pk"):
        stored = StoredToken.objects.filter(member=record.member_id).first()
        if stored is None:
            continue
        outcome = record.outcome
        _reconcile(Actor.for_job("reconcile", stored.member), stored, record)
        settled += record.outcome != outcome
    return settled


def _reconcile(actor: Actor, stored: StoredToken, record: KeyCreation) -> None:
    """Judge one creation; when the list has told nothing for long, give up, which frees the key
    that was to be replaced."""
    is_judged = find_out_late(actor, stored, record)
    if is_judged and record.outcome == Outcome.REQUESTED and record.is_overdue(GIVE_UP_AFTER):
        _conclude(actor, stored, record, Conclusion(Outcome.UNKNOWN, reason="given-up"))


def judged(record: KeyCreation, listed: KeyList) -> tuple[Outcome, str]:
    """A key that nobody else made here, with that label and that end, can only be this one.

    Whether its token was shown is not known: the process may have ended, or the database gone
    away, before the answer reached the member or after it.
    """
    if listed.unreadable or (listed.keys and not any(key.label for key in listed.keys)):
        return Outcome.UNKNOWN, ""
    # A key that is replaced usually has the same label.
    replaced = set(Rotation.objects.filter(creation=record).values_list("old_hash", flat=True))
    same = [
        key for key in listed.keys if key.label == record.label and key.token_hash not in replaced
    ]
    others = _created_here({key.token_hash for key in same})
    unclaimed = [key for key in same if key.token_hash not in others]
    if not unclaimed:
        return Outcome.NOT_CREATED, ""
    fitting = [key for key in unclaimed if _fits(key, record, ahead_of(listed.clock))]
    # One that ends at another time may be a good key of somebody: better no answer than that one.
    return (Outcome.FOUND, fitting[0].token_hash) if len(fitting) == 1 else (Outcome.UNKNOWN, "")


def _created_here(token_hashes: set[str]) -> set[str]:
    found = KeyCreation.objects.filter(token_hash__in=token_hashes)
    return set(found.values_list("token_hash", flat=True))


def _fits(key: ApiKey, record: KeyCreation, clock_ahead: timedelta) -> bool:
    """Whether the key was made, by our clock, while that request was under way."""
    made = key.expiry - (record.lifetime or PERMANENT_LIFETIME) - clock_ahead
    latest = record.requested_at + timedelta(seconds=settings.ESTUARY_TIMEOUT) + CLOCK_SLACK
    return record.requested_at - CLOCK_SLACK <= made <= min(latest, timezone.now() + CLOCK_SLACK)
