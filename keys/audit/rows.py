"""The audit as pages show it: its rows in words, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from keys.audit.trail import Action
from keys.models import AuditEntry

WORDS = {
    Action.SIGNED_IN: "Signed in",
    Action.SIGN_IN_FAILED: "Sign-in refused",
    Action.SIGNED_OUT: "Signed out",
    Action.TOKEN_CONNECTED: "Token connected",
    Action.TOKEN_DISCONNECTED: "Token disconnected",
    Action.KEY_CREATE_REQUESTED: "Creation requested",
    Action.KEY_CREATED: "Key created",
    Action.KEY_REVOKE_REQUESTED: "Revocation requested",
    Action.KEY_REVOKED: "Key revoked",
    Action.EXPORT_STARTED: "Export started",
    Action.EXPORT_FINISHED: "Export finished",
    Action.EXPORT_FAILED: "Export failed",
    Action.ACCESS_DENIED: "Access denied",
    Action.AUDIT_PRUNED: "Old entries removed",
    Action.SSO_REFUSED: "Single sign-on refused",
    Action.SSO_SESSION_ENDED: "Session ended by single sign-on",
    Action.SSO_IDENTITY_CREATED: "Member made by single sign-on",
    Action.SSO_IDENTITY_PENDING: "Identity waits for an admin",
    Action.SSO_IDENTITY_LINKED: "Identity linked",
    Action.SSO_IDENTITY_REMOVED: "Identity removed",
    Action.SSO_ADMIN_GIVEN: "Made admin by groups",
    Action.SSO_ADMIN_TAKEN: "No admin any more by groups",
    Action.SSO_LAST_ADMIN_KEPT: "Last admin kept against groups",
    Action.PROOF_GIVEN: "Confirmed it is them",
    Action.PROOF_FAILED: "Confirmation refused",
    Action.SESSION_ENDED: "Session ended",
    Action.SESSIONS_ENDED: "All other sessions ended",
    Action.FACTOR_ADDED: "Second factor added",
    Action.FACTOR_REMOVED: "Second factor removed",
    Action.FACTOR_USED: "Second factor used",
    Action.FACTOR_FAILED: "Second factor refused",
    Action.RECOVERY_CODES_MADE: "New recovery codes made",
    Action.PASSWORD_CHANGED: "Password changed",
}


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
    """The last 50 rows about one key that Estuary lists, newest first.

    Without revocations that found no such key, and what was only asked for: those may be of
    accounts that do not hold it.
    """
    # Rows without a result must be asked for: a comparison with what is not there excludes them.
    held_it = Q(detail__result__isnull=True) | ~Q(detail__result="gone")
    rows = AuditEntry.objects.filter(held_it, token_hash=token_hash)
    return _rows(rows.exclude(action=Action.KEY_REVOKE_REQUESTED)[:50])


def of_exports(member: User) -> list[AuditRow]:
    """The last 20 ended exports that a member took, or that were taken of them, newest first."""
    ended = AuditEntry.objects.filter(action__in=[Action.EXPORT_FINISHED, Action.EXPORT_FAILED])
    return _rows((ended.filter(actor=member) | ended.filter(on_behalf_of=member))[:20])


def _rows(entries: QuerySet[AuditEntry]) -> list[AuditRow]:
    return [
        AuditRow(
            at=entry.at,
            action_text=WORDS.get(Action(entry.action), entry.action),
            outcome_text=AuditEntry.Outcome(entry.outcome).label,
            actor=entry.actor_name,
            on_behalf_of=entry.on_behalf_of_name,
            address=entry.address,
            bytes=entry.detail.get("bytes"),
            sha256=entry.detail.get("sha256", ""),
        )
        for entry in entries
    ]
