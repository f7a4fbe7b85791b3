"""Recording how a creation ended."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from estuary_admin.storage.retried_writes import write_surely
from keys.actors import Actor
from keys.api_keys import rotations
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, StoredToken
from keys.notes.services import keep_purpose
from keys.notices.telling import tell
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
    outcome: Outcome
    token_hash: str = ""
    reason: str = ""


def record_conclusion(
    actor: Actor, stored: StoredToken, record: KeyCreation, conclusion: Conclusion
) -> None:
    """Record how a creation ended, now or as soon as the database is back.

    Raises nothing of the database: the key exists by then, and its token must reach the member.
    If this process ends before, `find_out_late` judges by Estuary's list.
    """
    record.outcome, record.token_hash = conclusion.outcome, conclusion.token_hash
    write_surely(
        lambda: write_conclusion(actor, stored, record, conclusion), "key_creation_not_recorded"
    )


def write_conclusion(
    actor: Actor, stored: StoredToken, record: KeyCreation, conclusion: Conclusion
) -> None:
    """Close a record and the audit, once: an earlier try may have been committed unnoticed."""
    with transaction.atomic():
        open_still = KeyCreation.objects.filter(pk=record.pk, outcome=Outcome.REQUESTED)
        if not open_still.update(outcome=conclusion.outcome, token_hash=conclusion.token_hash):
            return
        forget_list(stored)
        record_action(
            actor,
            Action.KEY_CREATED,
            AUDIT_OUTCOMES[conclusion.outcome],
            token_hash=conclusion.token_hash,
            detail={"reason": conclusion.reason} if conclusion.reason else None,
        )
        keep_purpose(actor, conclusion.token_hash, record.purpose)
        rotations.conclude_creation(actor, record, conclusion.outcome)
        if conclusion.token_hash:
            kind = "key.rotated" if rotations.is_rotation(record) else "key.created"
            if conclusion.outcome == Outcome.UNLISTED:
                kind = "key.unlisted"
            name = f"“{record.label}” ({fingerprint_of(conclusion.token_hash)})"
            tell(actor, stored.member, kind, name)
