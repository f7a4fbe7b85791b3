"""The audit as pages show it: rows in words, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from keys.audit.vocabulary import Action, action_words, outcome_words
from keys.models import AuditEntry

ROWS_PER_KEY = 50
ROWS_OF_EXPORTS = 20
ENDS_OF_EXPORTS = [Action.EXPORT_FINISHED, Action.EXPORT_FAILED, Action.EXPORT_CANCELLED]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry as pages show it."""

    at: datetime
    action_text: str
    outcome_text: str
    actor: str
    on_behalf_of: str
    address: str
    bytes: int | None  # of an export
    sha256: str


def of_key(token_hash: str) -> list[AuditRow]:
    """The last rows about one key that Estuary lists, newest first.

    Without revocations that found no such key, and without mere requests: they may come from
    accounts that do not hold the key.
    """
    # isnull must be asked for: SQL's comparison with a missing value is neither true nor false.
    held_it = Q(detail__result__isnull=True) | ~Q(detail__result="gone")
    rows = AuditEntry.objects.filter(held_it, token_hash=token_hash)
    return _rows(rows.exclude(action=Action.KEY_REVOKE_REQUESTED)[:ROWS_PER_KEY])


def of_exports(member: User) -> list[AuditRow]:
    """The last ended exports by a member or of the member's data, newest first."""
    ended = AuditEntry.objects.filter(action__in=ENDS_OF_EXPORTS)
    return _rows((ended.filter(actor=member) | ended.filter(on_behalf_of=member))[:ROWS_OF_EXPORTS])


def _rows(entries: QuerySet[AuditEntry]) -> list[AuditRow]:
    return [
        AuditRow(
            at=entry.at,
            action_text=action_words(entry.action),
            outcome_text=outcome_words(entry.outcome),
            actor=f"Worker ({entry.job})" if entry.job else entry.actor_name,
            on_behalf_of=entry.on_behalf_of_name,
            address=entry.address,
            bytes=entry.detail.get("bytes"),
            sha256=entry.detail.get("sha256", ""),
        )
        for entry in entries
    ]
