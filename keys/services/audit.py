"""The audit: one row for everything somebody did or was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from keys.actors import Actor
from keys.models import AuditEntry

Outcome = AuditEntry.Outcome


class Action(StrEnum):
    SIGNED_IN = "member:signed-in"
    SIGN_IN_FAILED = "member:sign-in-failed"
    SIGNED_OUT = "member:signed-out"
    TOKEN_CONNECTED = "token:connected"  # noqa: S105 - a name of an action
    TOKEN_DISCONNECTED = "token:disconnected"  # noqa: S105
    KEY_CREATE_REQUESTED = "key:create-requested"
    KEY_CREATED = "key:created"
    KEY_REVOKED = "key:revoked"
    EXPORT_STARTED = "export:started"
    EXPORT_FINISHED = "export:finished"
    EXPORT_FAILED = "export:failed"
    ACCESS_DENIED = "access:denied"
    SSO_REFUSED = "sso:refused"
    SSO_SESSION_ENDED = "sso:session-ended"
    SSO_IDENTITY_CREATED = "sso:identity-created"
    SSO_IDENTITY_PENDING = "sso:identity-pending"
    SSO_IDENTITY_LINKED = "sso:identity-linked"
    SSO_IDENTITY_REMOVED = "sso:identity-removed"
    SSO_ADMIN_GIVEN = "sso:admin-given"
    SSO_ADMIN_TAKEN = "sso:admin-taken"
    SSO_LAST_ADMIN_KEPT = "sso:last-admin-kept"
    PROOF_GIVEN = "member:proof-given"
    PROOF_FAILED = "member:proof-failed"
    SESSION_ENDED = "member:session-ended"
    SESSIONS_ENDED = "member:sessions-ended"
    FACTOR_ADDED = "factor:added"
    FACTOR_REMOVED = "factor:removed"
    FACTOR_USED = "factor:used"
    FACTOR_FAILED = "factor:failed"
    RECOVERY_CODES_MADE = "factor:codes-made"
    PASSWORD_CHANGED = "member:password-changed"  # noqa: S105


#: How pages say it.
WORDS = {
    Action.SIGNED_IN: "Signed in",
    Action.SIGN_IN_FAILED: "Sign-in refused",
    Action.SIGNED_OUT: "Signed out",
    Action.TOKEN_CONNECTED: "Token connected",
    Action.TOKEN_DISCONNECTED: "Token disconnected",
    Action.KEY_CREATE_REQUESTED: "Creation requested",
    Action.KEY_CREATED: "Key created",
    Action.KEY_REVOKED: "Key revoked",
    Action.EXPORT_STARTED: "Export started",
    Action.EXPORT_FINISHED: "Export finished",
    Action.EXPORT_FAILED: "Export failed",
    Action.ACCESS_DENIED: "Access denied",
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


def record(
    actor: Actor,
    action: Action,
    outcome: AuditEntry.Outcome = Outcome.DONE,
    *,
    token_hash: str = "",
    on_behalf_of: User | None = None,
    detail: Mapping[str, str | int] | None = None,
) -> AuditEntry:
    """Write one row.

    `detail` takes small facts (an error's code, bytes, a SHA-256): never a token, never what
    Estuary answered. `on_behalf_of` is the member whose token was used, if it is not the actor's.
    """
    return AuditEntry.objects.create(
        action=action,
        outcome=outcome,
        actor=actor.member,
        actor_name=actor.member.get_username() if actor.member else "",
        on_behalf_of=on_behalf_of,
        on_behalf_of_name=on_behalf_of.get_username() if on_behalf_of else "",
        token_hash=token_hash,
        address=actor.address,
        request_id=actor.request_id,
        detail=dict(detail or {}),
    )


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

    Without revocations that found no such key: those were of accounts that do not hold it.
    """
    # Rows without a result must be asked for: a comparison with what is not there excludes them.
    held_it = Q(detail__result__isnull=True) | ~Q(detail__result="gone")
    return _rows(AuditEntry.objects.filter(held_it, token_hash=token_hash)[:50])


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
