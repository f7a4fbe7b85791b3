"""Events of sign-in and its security, sent by one signal: the frame does not know the audit.

`keys.audit.vocabulary` says of each event what it means to the audit.
"""

from __future__ import annotations

from enum import StrEnum

from django.contrib.auth.models import User
from django.dispatch import Signal
from django.http import HttpRequest

happened = Signal()


class Event(StrEnum):
    REFUSED = "sso:refused"
    SESSION_ENDED = "sso:session-ended"
    IDENTITY_CREATED = "sso:identity-created"
    IDENTITY_PENDING = "sso:identity-pending"
    IDENTITY_LINKED = "sso:identity-linked"
    IDENTITY_REMOVED = "sso:identity-removed"
    ROLE_GIVEN = "sso:admin-given"
    ROLE_TAKEN = "sso:admin-taken"
    LAST_ADMIN_KEPT = "sso:last-admin-kept"
    ACCESS_DENIED = "access:denied"
    PROOF_GIVEN = "member:proof-given"
    PROOF_FAILED = "member:proof-failed"
    SESSION_ENDED_BY_MEMBER = "member:session-ended"
    SESSIONS_ENDED_BY_MEMBER = "member:sessions-ended"
    FACTOR_ADDED = "factor:added"
    FACTOR_REMOVED = "factor:removed"
    FACTOR_USED = "factor:used"
    FACTOR_FAILED = "factor:failed"
    FACTOR_RENAMED = "factor:renamed"
    RECOVERY_CODES_MADE = "factor:codes-made"
    RECOVERY_CODES_SHOWN = "factor:codes-shown"
    PASSWORD_CHANGED = "member:password-changed"  # noqa: S105 - a name of an event
    PASSWORD_CHANGE_FAILED = "member:password-change-failed"  # noqa: S105
    PASSWORD_RESET = "member:password-reset"  # noqa: S105
    PASSWORD_SET = "member:password-set"  # noqa: S105
    LINK_REFUSED = "link:refused"
    THROTTLED = "member:throttled"
    MEMBER_CREATED = "member:created"
    SWITCHED_OFF = "member:switched-off"
    SWITCHED_ON = "member:switched-on"
    MADE_ADMIN = "member:made-admin"
    ADMIN_ENDED = "member:admin-ended"


def tell(
    request: HttpRequest | None,
    event: Event,
    member: User | None = None,
    served: User | None = None,
    **detail: str,
) -> None:
    """Report an event; without `member` it is the act of the member that the request is signed in
    as, for `served` if that is somebody else.

    Without a request, the operator acts on `member` by a command.
    """
    happened.send(
        Event,
        request=request,
        event=event,
        member=member,
        served=served,
        detail=detail,
    )
