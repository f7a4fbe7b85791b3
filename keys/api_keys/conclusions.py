"""Recording how a creation ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from estuary_admin.storage.connections import write_surely
from keys.actors import Actor
from keys.api_keys import rotations
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, Rotation, StoredToken
from keys.notes.services import keep_purpose
from keys.notices import lost_creations
from keys.notices.outbox import enqueue
from keys.notices.telling import tell_of_new_keys
from keys.token.stored_tokens import forget_list
from keys.upstream import fingerprint_of

Outcome = KeyCreation.Outcome

AUDIT_OUTCOMES = {
    Outcome.CREATED: AuditOutcome.DONE,
    Outcome.UNLISTED: AuditOutcome.UNKNOWN,
    Outcome.FOUND: AuditOutcome.UNKNOWN,
    Outcome.LOST: AuditOutcome.FAILED,
    Outcome.NOT_CREATED: AuditOutcome.FAILED,
    Outcome.UNKNOWN: AuditOutcome.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The outcome of one creation: the key's hash if it is known, and the error's code."""

    outcome: Outcome
    token_hash: str = ""
    reason: str = ""


Ended = tuple[KeyCreation, Conclusion]


def record_conclusion(
    actor: Actor, stored: StoredToken, record: KeyCreation, conclusion: Conclusion
) -> None:
    """Record how one creation ended, as `record_conclusions` does."""
    record_conclusions(actor, stored, [(record, conclusion)])


def record_conclusions(actor: Actor, stored: StoredToken, ended: Sequence[Ended]) -> None:
    """Record how the creations of one form ended, now or as soon as the database is back.

    Raises nothing of the database: the keys exist by then, and their tokens must reach the member,
    so the wait for a database that is away is the same for one key and for fifty. If this process
    ends before, `find_out_late` judges by Estuary's list.
    """
    for record, conclusion in ended:
        record.outcome, record.token_hash = conclusion.outcome, conclusion.token_hash
    write_surely(lambda: write_conclusions(actor, stored, ended), "key_creation_not_recorded")


def write_conclusions(actor: Actor, stored: StoredToken, ended: Sequence[Ended]) -> bool:
    """Close records and the audit, once: an earlier try may have been committed unnoticed.

    Returns whether any was still open.
    """
    with transaction.atomic():
        closed = [pair for pair in ended if _close(*pair)]
        are_rotations = [_record(actor, stored, *pair) for pair in closed]
        _tell(actor, stored, closed, replaces=any(are_rotations))
    return bool(closed)


def _close(record: KeyCreation, conclusion: Conclusion) -> bool:
    """Close one record; False when it was closed before."""
    is_open = Q(outcome=Outcome.REQUESTED)
    if conclusion.outcome != Outcome.UNKNOWN:
        is_open |= Q(outcome=Outcome.UNKNOWN)  # given up, but more is known by now
    changes = {"outcome": conclusion.outcome, "token_hash": conclusion.token_hash}
    return bool(KeyCreation.objects.filter(is_open, pk=record.pk).update(**changes))


def _record(actor: Actor, stored: StoredToken, record: KeyCreation, conclusion: Conclusion) -> bool:
    """Record what follows from one conclusion; returns whether the key was that of a rotation."""
    forget_list(stored)
    record_action(
        actor,
        Action.KEY_CREATED,
        AUDIT_OUTCOMES[conclusion.outcome],
        token_hash=conclusion.token_hash,
        detail={"reason": conclusion.reason} if conclusion.reason else None,
    )
    keep_purpose(actor, conclusion.token_hash, record.purpose)
    return rotations.conclude_creation(actor, record, conclusion.outcome)


def _tell(actor: Actor, stored: StoredToken, closed: Sequence[Ended], *, replaces: bool) -> None:
    """Write one message about all keys of a form."""
    made: list[str] = []
    unlisted: list[str] = []
    for record, conclusion in closed:
        if conclusion.token_hash:
            name = f"“{record.label}” ({fingerprint_of(conclusion.token_hash)})"
            if actor.job and conclusion.outcome == Outcome.FOUND and not _console_revokes(record):
                record.token_hash = conclusion.token_hash
                enqueue(stored.member, lost_creations.found(record))
            (unlisted if conclusion.outcome == Outcome.UNLISTED else made).append(name)
    tell_of_new_keys(actor, stored.member, made, unlisted, replaces=replaces)


def _console_revokes(record: KeyCreation) -> bool:
    """Whether the key was to be the console's own: without its token the worker ends it."""
    overlap = Rotation.objects.filter(creation=record, state=Rotation.State.OVERLAP)
    return record.is_renewal or overlap.filter(keeps_old=True).exists()
