"""The actions and outcomes of the audit: one entry holds everything there is to say of an action.

An action that the frame reports takes its code from `Event`, so that the two cannot disagree.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from django.db import models

from estuary_admin.sso.events import Event


class Severity(StrEnum):
    """How much attention an action deserves."""

    INFO = "info"
    NOTICE = "notice"  # worth a look in a review: a change of keys, roles or sign-in methods
    WARNING = "warning"  # a refusal or a failure
    CRITICAL = "critical"  # worth a look now


class Outcome(models.TextChoices):
    STARTED = "started", "Started"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"


REFUSAL = True
INFO, NOTICE, WARNING, CRITICAL = Severity


class Action(StrEnum):
    """Code, words for pages, severity, name in the OWASP logging vocabulary, and whether it is
    a refusal.

    The OWASP name is "" where the vocabulary has no fitting one.
    """

    words: str
    severity: Severity
    owasp: str
    is_refusal: bool

    def __new__(
        cls,
        code: str,
        words: str,
        severity: Severity,
        owasp: str = "",
        is_refusal: bool = False,  # noqa: FBT001, FBT002 - an enum's entry has no keywords
    ) -> Self:
        action = str.__new__(cls, code)
        action._value_ = code
        action.words, action.severity = words, severity
        action.owasp, action.is_refusal = owasp, is_refusal
        return action

    # Sign-in
    SIGNED_IN = "member:signed-in", "Signed in", INFO, "authn_login_success"
    SIGN_IN_FAILED = (
        "member:sign-in-failed",
        "Sign-in refused",
        WARNING,
        "authn_login_fail",
        REFUSAL,
    )
    SIGNED_OUT = "member:signed-out", "Signed out", INFO
    SSO_REFUSED = Event.REFUSED, "Single sign-on refused", WARNING, "authn_login_fail", REFUSAL
    SSO_SESSION_ENDED = Event.SESSION_ENDED, "Session ended by single sign-on", INFO
    ACCESS_DENIED = Event.ACCESS_DENIED, "Access denied", CRITICAL, "authz_fail", REFUSAL

    # Members and their roles
    SSO_IDENTITY_CREATED = (
        Event.IDENTITY_CREATED,
        "Member created by single sign-on",
        NOTICE,
        "user_created",
    )
    SSO_IDENTITY_PENDING = (
        Event.IDENTITY_PENDING,
        "Identity waits for an admin",
        WARNING,
        "authn_login_fail",
        REFUSAL,
    )
    SSO_IDENTITY_LINKED = Event.IDENTITY_LINKED, "Identity linked", NOTICE, "user_updated"
    SSO_IDENTITY_REMOVED = Event.IDENTITY_REMOVED, "Identity removed", NOTICE, "user_updated"
    SSO_ADMIN_GIVEN = (
        Event.ROLE_GIVEN,
        "Admin role given by groups",
        NOTICE,
        "privilege_permissions_changed",
    )
    SSO_ADMIN_TAKEN = (
        Event.ROLE_TAKEN,
        "Admin role taken by groups",
        NOTICE,
        "privilege_permissions_changed",
    )
    SSO_LAST_ADMIN_KEPT = (
        Event.LAST_ADMIN_KEPT,
        "Last admin kept against groups",
        WARNING,
        "",
        REFUSAL,
    )
    PASSWORD_RESET = (
        Event.PASSWORD_RESET,
        "Password reset by the operator",
        NOTICE,
        "authn_password_change",
    )
    OFF_BOARDING_STARTED = "offboard:started", "Off-boarding started", NOTICE, "user_updated"
    OFF_BOARDING_GIVEN_UP = (
        "offboard:given-up",
        "Off-boarding goes on without Estuary's confirmation",
        WARNING,
    )
    OFF_BOARDING_FINISHED = "offboard:finished", "Off-boarding finished", NOTICE, "user_updated"
    CONNECTION_ASKED_FOR = "member:connection-asked-for", "Member reminded to connect", INFO
    MEMBER_CREATED = Event.MEMBER_CREATED, "Member made by the operator", NOTICE, "user_created"
    SWITCHED_OFF = Event.SWITCHED_OFF, "Member switched off", NOTICE, "user_updated"
    SWITCHED_ON = Event.SWITCHED_ON, "Member switched on", NOTICE, "user_updated"
    MADE_ADMIN = (
        Event.MADE_ADMIN,
        "Admin role given by the operator",
        NOTICE,
        "privilege_permissions_changed",
    )
    ADMIN_ENDED = (
        Event.ADMIN_ENDED,
        "Admin role taken by the operator",
        NOTICE,
        "privilege_permissions_changed",
    )
    REMINDERS_CHANGED = "member:reminders-changed", "Reminders changed", INFO, "user_updated"
    REMINDERS_TESTED = "member:reminders-tested", "Test message requested", INFO
    FEED_CREATED = "feed:created", "Calendar feed created", NOTICE, "sensitive_create"
    FEED_ENDED = "feed:ended", "Calendar feed ended", NOTICE, "sensitive_delete"
    PREFERENCES_CHANGED = "member:preferences-changed", "Preferences changed", INFO, "user_updated"

    # Sessions, passwords and second factors
    PROOF_GIVEN = Event.PROOF_GIVEN, "Identity confirmed", INFO, "authn_login_success"
    PROOF_FAILED = (
        Event.PROOF_FAILED,
        "Confirmation refused",
        WARNING,
        "authn_login_fail",
        REFUSAL,
    )
    SESSION_ENDED = Event.SESSION_ENDED_BY_MEMBER, "Session ended", INFO
    SESSIONS_ENDED = Event.SESSIONS_ENDED_BY_MEMBER, "All other sessions ended", INFO
    FACTOR_ADDED = Event.FACTOR_ADDED, "Second factor added", NOTICE, "user_updated"
    FACTOR_REMOVED = Event.FACTOR_REMOVED, "Second factor removed", NOTICE, "user_updated"
    FACTOR_USED = Event.FACTOR_USED, "Second factor used", INFO, "authn_login_success"
    FACTOR_FAILED = (
        Event.FACTOR_FAILED,
        "Second factor refused",
        WARNING,
        "authn_login_fail",
        REFUSAL,
    )
    FACTOR_RENAMED = Event.FACTOR_RENAMED, "Passkey renamed", INFO, "user_updated"
    RECOVERY_CODES_MADE = Event.RECOVERY_CODES_MADE, "New recovery codes made", NOTICE
    RECOVERY_CODES_SHOWN = (
        Event.RECOVERY_CODES_SHOWN,
        "Recovery codes shown",
        NOTICE,
        "sensitive_read",
    )
    PASSWORD_CHANGED = (
        Event.PASSWORD_CHANGED,
        "Password changed",
        NOTICE,
        "authn_password_change",
    )
    PASSWORD_CHANGE_FAILED = (
        Event.PASSWORD_CHANGE_FAILED,
        "Password change refused",
        WARNING,
        "authn_password_change_fail",
        REFUSAL,
    )
    MEMBER_INVITED = "member:invited", "Member invited", NOTICE, "user_created"
    PASSWORD_LINK_MADE = "link:made", "Link to set a password made", NOTICE, "user_updated"
    PASSWORD_LINK_ENDED = "link:ended", "Link to set a password ended", INFO, "user_updated"
    PASSWORD_SET = (
        Event.PASSWORD_SET,
        "Password set by a link",
        NOTICE,
        "authn_password_change",
    )
    LINK_REFUSED = (
        Event.LINK_REFUSED,
        "Link that does not work",
        WARNING,
        "authn_password_change_fail",
        REFUSAL,
    )
    THROTTLED = (
        Event.THROTTLED,
        "Too many attempts",
        WARNING,
        "authn_login_fail_max",
        REFUSAL,
    )

    # Keys and tokens at Estuary
    TOKEN_CONNECTED = "token:connected", "Token connected", NOTICE, "sensitive_create"
    TOKEN_RENEWED = (
        "token:renewed",
        "Stored token replaced by a new key",
        NOTICE,
        "sensitive_create",
    )
    TOKEN_DISCONNECTED = "token:disconnected", "Token disconnected", NOTICE, "sensitive_delete"
    KEY_CREATE_REQUESTED = "key:create-requested", "Creation requested", INFO
    KEY_CREATED = "key:created", "Key created", NOTICE, "authn_token_created"
    KEY_REVOKE_REQUESTED = "key:revoke-requested", "Revocation requested", INFO
    KEY_NOTED = "key:noted", "Note of a key changed", INFO
    KEY_APPEARED = "key:appeared", "Key appeared outside this console", NOTICE
    KEY_VANISHED = "key:vanished", "Key vanished outside this console", NOTICE
    KEY_LOOKED_UP = "key:looked-up", "Owner of a key looked up", INFO, "sensitive_read"
    KEY_INCIDENT = "key:incident", "Incident noted", CRITICAL
    BULK_STARTED = "bulk:started", "Change to many keys started", NOTICE
    BULK_CANCELLED = "bulk:cancelled", "Change to many keys cancelled", INFO
    KEY_REMINDERS_SET = "key:reminders-set", "Reminders of a key set", INFO
    TOKEN_TESTED = "token:tested", "Pasted token tested at Estuary", NOTICE
    KEY_REVOKED = "key:revoked", "Key revoked", NOTICE, "authn_token_revoked"
    KEY_ROTATED = "key:rotated", "Key rotated", NOTICE, "authn_token_created"
    KEY_RECREATED = "key:recreated", "Key like an ended one created", NOTICE, "authn_token_created"
    ROTATION_CHANGED = "rotation:changed", "Overlap changed", NOTICE
    ROTATION_WAITS = "rotation:waits", "Rotation waits for a token", WARNING
    ROTATION_STOPPED = "rotation:stopped", "Old key kept", WARNING
    ROTATION_ASKED_FOR = "rotation:asked-for", "Rotation of a key asked for", NOTICE
    ROTATION_WITHDRAWN = "rotation:withdrawn", "Request for a rotation withdrawn", INFO
    ROTATION_OVERDUE = "rotation:overdue", "Rotation overdue", WARNING

    # Data
    EXPORT_STARTED = "export:started", "Export started", NOTICE, "sensitive_read"
    EXPORT_FINISHED = "export:finished", "Export finished", NOTICE, "sensitive_read"
    EXPORT_FAILED = "export:failed", "Export failed", WARNING
    EXPORT_STOP_REQUESTED = "export:stop-requested", "Export stop requested", INFO
    EXPORT_CANCELLED = "export:cancelled", "Export stopped", INFO
    EXPORT_PREPARE_REQUESTED = "export:prepare-requested", "Export requested", NOTICE
    EXPORT_PREPARED = "export:prepared", "Export prepared", NOTICE, "sensitive_create"
    EXPORT_PREPARE_FAILED = "export:prepare-failed", "Preparation of an export failed", WARNING
    EXPORT_PREPARE_CANCELLED = (
        "export:prepare-cancelled",
        "Preparation of an export cancelled",
        INFO,
    )
    EXPORT_DOWNLOADED = (
        "export:downloaded",
        "Download of a prepared export",
        NOTICE,
        "sensitive_read",
    )
    EXPORT_SCHEDULED = "export:scheduled", "Schedule of exports changed", INFO
    EXPORTS_COMPARED = "export:compared", "Comparison of exports", INFO
    EXPORT_DELETED = "export:deleted", "Prepared export deleted", NOTICE, "sensitive_delete"
    EXPORT_EXPIRED = "export:expired", "Prepared export expired", INFO, "sensitive_delete"
    TEAM_EXPORT_REQUESTED = "export:team-requested", "Team export requested", NOTICE
    TEAM_EXPORT_ENDED = "export:team-ended", "Team export ended", NOTICE, "sensitive_create"
    TEAM_EXPORT_CANCELLED = "export:team-cancelled", "Team export cancelled", INFO
    TEAM_EXPORT_DOWNLOADED = (
        "export:team-downloaded",
        "Download of a team export",
        NOTICE,
        "sensitive_read",
    )
    TEAM_EXPORT_DELETED = "export:team-deleted", "Team export deleted", NOTICE, "sensitive_delete"
    TEAM_EXPORT_EXPIRED = "export:team-expired", "Team export expired", INFO, "sensitive_delete"
    AUDIT_DOWNLOADED = "audit:downloaded", "Audit downloaded", NOTICE, "sensitive_read"
    TEAM_DOWNLOADED = "team:downloaded", "Credential report downloaded", NOTICE, "sensitive_read"
    AUDIT_VERIFIED = "audit:verified", "Audit chain verified", INFO
    STATS_DOWNLOADED = "stats:downloaded", "Stats downloaded", INFO, "sensitive_read"
    AUDIT_ADOPTED = "audit:adopted", "Entries of an older version chained", NOTICE
    AUDIT_PRUNED = "audit:pruned", "Old entries removed", NOTICE, "sensitive_delete"


KNOWN_ACTIONS: dict[str, Action] = {action.value: action for action in Action}


def action_words(code: str) -> str:
    """The words of an action; its code when this version does not know it.

    During a rolling upgrade, rows of the newer version are shown by the older one.
    """
    action = known_action(code)
    return action.words if action else code


def outcome_words(code: str) -> str:
    """The words of an outcome; its code when this version does not know it."""
    return str(Outcome(code).label) if code in Outcome.values else code


def known_action(code: str) -> Action | None:
    """The action with this code; None when this version does not know it."""
    return KNOWN_ACTIONS.get(code)


def default_outcome(code: str) -> Outcome:
    """The outcome of an action that was refused or done at once."""
    action = known_action(code)
    return Outcome.REFUSED if action and action.is_refusal else Outcome.DONE
