"""The audit as pages show it: rows in words, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q

from keys.audit.vocabulary import Action, Outcome, action_words, known_action, outcome_words
from keys.models import AuditEntry
from keys.upstream import fingerprint_of

OUTCOME_LEADS: dict[str, str] = {
    Outcome.STARTED: "Started",
    Outcome.REFUSED: "Refused",
    Outcome.FAILED: "Failed",
    Outcome.UNKNOWN: "Outcome unknown",
}
#: Words of an action that say the outcome themselves.
ENDINGS: dict[str, tuple[str, ...]] = {
    Outcome.STARTED: ("started", "requested", "asked for"),
    Outcome.REFUSED: ("refused",),
    Outcome.FAILED: ("failed",),
}
ROWS_PER_KEY = 50
ROWS_OF_EXPORTS = 20
ENDS_OF_EXPORTS = [Action.EXPORT_FINISHED, Action.EXPORT_FAILED, Action.EXPORT_CANCELLED]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry as pages show it."""

    at: datetime | None  # None when it cannot be read
    action_text: str
    outcome_text: str
    actor: str
    on_behalf_of: str
    address: str
    bytes: int | None  # of an export
    sha256: str
    sentence: str
    token_hash: str
    outcome: str
    facts: list[tuple[str, str]]  # what the row holds beside its sentence

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)


def of_key(token_hash: str) -> list[AuditRow]:
    """The last rows about one key that Estuary lists, newest first.

    Without revocations that found no such key, and without mere requests: they may come from
    accounts that do not hold the key.
    """
    # isnull must be asked for: SQL's comparison with a missing value is neither true nor false.
    held_it = Q(detail__result__isnull=True) | ~Q(detail__result="gone")
    rows = AuditEntry.objects.filter(held_it, token_hash=token_hash)
    return as_rows(rows.exclude(action=Action.KEY_REVOKE_REQUESTED)[:ROWS_PER_KEY])


def of_exports(member: User) -> list[AuditRow]:
    """The last ended exports by a member or of the member's data, newest first."""
    ended = AuditEntry.objects.filter(action__in=ENDS_OF_EXPORTS)
    return as_rows(
        (ended.filter(actor=member) | ended.filter(on_behalf_of=member))[:ROWS_OF_EXPORTS]
    )


def as_rows(entries: Iterable[AuditEntry]) -> list[AuditRow]:
    """Turn entries into rows for a page, in the given order."""
    return [
        AuditRow(
            at=entry.moment,
            action_text=action_words(entry.action),
            outcome_text=outcome_words(entry.outcome),
            actor=_actor(entry),
            on_behalf_of=entry.on_behalf_of_name,
            address=entry.address,
            bytes=_number(entry.facts.get("bytes")),
            sha256=entry.facts.get("sha256", ""),
            sentence=_sentence(entry),
            token_hash=entry.token_hash,
            outcome=entry.outcome,
            facts=_facts(entry),
        )
        for entry in entries
    ]


def _actor(entry: AuditEntry) -> str:
    return f"Worker ({entry.job})" if entry.job else entry.actor_name


def _sentence(entry: AuditEntry) -> str:
    """Such as “Key created by alice”. An action without a known outcome is never told as done."""
    action, actor = known_action(entry.action), _actor(entry) or "somebody not signed in"
    served = f" for {entry.on_behalf_of_name}" if entry.on_behalf_of_name else ""
    words = action_words(entry.action)
    is_told_as_it_is = entry.outcome == Outcome.DONE or bool(action and action.is_refusal)
    if is_told_as_it_is or words.endswith(ENDINGS.get(entry.outcome, ())):
        return f"{words}: {actor}{served}"
    lead = OUTCOME_LEADS.get(entry.outcome, outcome_words(entry.outcome))
    return f"{lead}: “{words}”, {actor}{served}"


def _facts(entry: AuditEntry) -> list[tuple[str, str]]:
    action = known_action(entry.action)
    facts = [
        ("Action", entry.action),
        ("OWASP name", action.owasp if action else ""),
        ("Address", entry.address),
        ("Request", entry.request_id),
        ("Token hash", entry.token_hash),
        *((name, _encodable(str(value))) for name, value in sorted(entry.facts.items())),
        ("Number", str(entry.sequence or "")),
        ("Hash", entry.row_hash),
    ]
    return [(name, value) for name, value in facts if value]


def _number(fact: object) -> int | None:
    return fact if isinstance(fact, int) else None


def _encodable(text: str) -> str:
    """Text for a page: JSON may hold lone surrogates, which UTF-8 cannot."""
    return text.encode(errors="replace").decode()
