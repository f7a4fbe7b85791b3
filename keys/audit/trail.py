"""The audit: one row for everything somebody did or was refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.contrib.auth.models import User

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
    KEY_REVOKE_REQUESTED = "key:revoke-requested"
    KEY_REVOKED = "key:revoked"
    EXPORT_STARTED = "export:started"
    EXPORT_FINISHED = "export:finished"
    EXPORT_FAILED = "export:failed"
    ACCESS_DENIED = "access:denied"
    AUDIT_PRUNED = "audit:pruned"
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
