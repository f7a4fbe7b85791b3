"""Why somebody is not let in, though it is proved who they are."""

from __future__ import annotations

from estuary_admin.sso.reasons import Reason


class NotAdmitted(Reason):
    NO_PERSON = (
        "no-person",
        "The assertion is about a program, not about a person.",
        "Service tokens cannot use this console: sign in as a person.",
    )
    NOT_IN_GROUPS = (
        "not-in-groups",
        "You are in none of the groups that may use this console.",
        (
            "Add the person to one of SSO_MEMBER_GROUPS or SSO_ADMIN_GROUPS, and see that the "
            "proxy sends the groups."
        ),
    )
    UNKNOWN_MEMBER = (
        "unknown-member",
        "You have no account here.",
        (
            "SSO_AUTO_CREATE is false: make the member with “manage.py createmember”, let the "
            "person come once more, and link the identity."
        ),
    )
    PENDING = (
        "pending",
        (
            "There is an account with your name already. Before you can use it, an admin must "
            "confirm that it is yours."
        ),
        "An admin links it at /admin-tools/sso/identities/.",
    )
    SWITCHED_OFF = (
        "switched-off",
        "Your account here is switched off.",
        "Ask an admin of this console if you think that is a mistake.",
    )
