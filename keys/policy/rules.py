"""The rules for keys: pure functions, shared by pages, services and jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from estuary_admin.unicode_text import shows_something
from keys.policy.patterns import LabelPattern
from keys.upstream import PERMANENT_FROM, ApiKey, KeySpec, Permission
from keys.upstream.durations import describe

PERMISSION_WORDS = {Permission.UPLOAD: "Upload only", Permission.ALL: "Full access"}
#: A label from Estuary may be any length; a pattern is only tried on those that we would accept.
MAX_LABEL_LENGTH = 200


class NoEnd(StrEnum):
    """The members who may have keys without expiry."""

    ALLOW = "allow"
    ADMINS = "admins"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules; as it is made without arguments, everything is allowed."""

    longest_lifetime: timedelta | None = None
    no_end: NoEnd = NoEnd.ALLOW
    permissions: tuple[Permission, ...] = (Permission.UPLOAD, Permission.ALL)
    default_permission: Permission = Permission.UPLOAD
    label_pattern: LabelPattern | None = None
    label_example: str = ""
    is_purpose_required: bool = False
    max_keys: int | None = None

    def allows_no_end(self, *, is_admin: bool) -> bool:
        """Whether a key of this member may have no expiry."""
        return self.no_end is NoEnd.ALLOW or (is_admin and self.no_end is NoEnd.ADMINS)

    def allows_lifetime(self, lifetime: timedelta | None, *, is_admin: bool) -> bool:
        """Whether a key may live this long; None means without expiry."""
        if lifetime is None or lifetime > PERMANENT_FROM:  # pages call both “No expiry”
            return self.allows_no_end(is_admin=is_admin)
        return self.longest_lifetime is None or lifetime <= self.longest_lifetime

    def allows_label(self, label: str) -> bool:
        """Whether the label matches the pattern; without one, every label does."""
        if self.label_pattern is None:
            return True
        return len(label) <= MAX_LABEL_LENGTH and self.label_pattern.fullmatch(label)


class Field(StrEnum):
    """The form field that a problem belongs to; NONE is for the form as a whole."""

    LABEL = "label"
    LIFETIME = "lifetime"
    PERMISSION = "permission"
    PURPOSE = "purpose"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why the policy refuses a new key."""

    field: Field
    sentence: str


class PolicyRefused(Exception):
    """The policy does not allow this key; no call to Estuary was made."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.sentence = " ".join(problem.sentence for problem in problems)
        super().__init__(self.sentence)


def problems_of(
    policy: Policy, spec: KeySpec, purpose: str, *, is_admin: bool, key_count: int = 0
) -> list[Problem]:
    """The reasons why the policy refuses a new key, in the order of the form.

    `key_count` is how many keys the account has already; 0 leaves that out.
    """
    found = []
    if not policy.allows_label(spec.label):
        found.append(Problem(Field.LABEL, label_sentence(policy)))
    if not policy.allows_lifetime(spec.lifetime, is_admin=is_admin):
        found.append(Problem(Field.LIFETIME, lifetime_sentence(policy, is_admin=is_admin)))
    if spec.permission not in policy.permissions:
        found.append(Problem(Field.PERMISSION, permission_sentence(policy)))
    if policy.is_purpose_required and not shows_something(purpose):
        found.append(Problem(Field.PURPOSE, "Say what the key is for: a purpose is required here."))
    if policy.max_keys is not None and key_count >= policy.max_keys:
        found.append(Problem(Field.NONE, count_sentence(policy, key_count)))
    return found


def rules_in_words(policy: Policy, *, is_admin: bool) -> list[str]:
    """The rules as sentences above the form; none when everything is allowed."""
    sentences = [
        lifetime_sentence(policy, is_admin=is_admin),
        permission_sentence(policy),
        label_sentence(policy),
        "A purpose is required." if policy.is_purpose_required else "",
        "" if policy.max_keys is None else f"An account may have {_keys(policy.max_keys)}.",
    ]
    return [sentence for sentence in sentences if sentence]


def lifetime_sentence(policy: Policy, *, is_admin: bool) -> str:
    """The rule for lifetimes; "" when any is allowed."""
    can_be_endless = policy.allows_no_end(is_admin=is_admin)
    if policy.longest_lifetime is None:
        return "" if can_be_endless else "Every key must expire."
    most = f"A key may last at most {describe(policy.longest_lifetime)}"
    return f"{most}, or have no expiry." if can_be_endless else f"{most}."


def permission_sentence(policy: Policy) -> str:
    """The rule for permissions; "" when both are allowed."""
    if set(policy.permissions) >= set(Permission):
        return ""
    [only] = policy.permissions
    return f"Every key must have the permission “{PERMISSION_WORDS[only]}”."


def label_sentence(policy: Policy) -> str:
    """The rule for labels; "" without a pattern."""
    return f"A label must look like “{policy.label_example}”." if policy.label_pattern else ""


def count_sentence(policy: Policy, key_count: int) -> str:
    """Why the account may have no further key."""
    return f"{_count(policy, key_count)} Revoke one that is no longer needed."


def replaces_sentence(policy: Policy, key_count: int, old_fingerprint: str) -> str:
    """Why a key that has replaced one which still works may not be replaced itself."""
    return (
        f"{_count(policy, key_count)} This key replaces the key {old_fingerprint}, which still "
        "works: end that one first, then rotate this one."
    )


def replaced_sentence(policy: Policy, key_count: int, new_fingerprint: str) -> str:
    """Why a key whose replacement works may not be replaced once more."""
    return (
        f"{_count(policy, key_count)} The key {new_fingerprint} was made to replace this one, and "
        "both work: revoke one of them first."
    )


def _count(policy: Policy, key_count: int) -> str:
    return f"The account has {_keys(key_count)}, and may have {policy.max_keys}."


def _keys(count: int) -> str:
    return f"{count} key{'' if count == 1 else 's'}"


class Finding(StrEnum):
    """A reason to look at an existing key."""

    OVER_POLICY = "over-policy"
    NO_PURPOSE = "no-purpose"
    NOT_MADE_HERE = "not-made-here"

    @property
    def words(self) -> str:
        return FINDING_WORDS[self]


FINDING_WORDS = {
    Finding.OVER_POLICY: "Over policy",
    Finding.NO_PURPOSE: "No purpose",
    Finding.NOT_MADE_HERE: "Not made here",
}


def findings_of(
    policy: Policy,
    key: ApiKey,
    node_now: datetime,
    *,
    purpose: str = "",
    permission: str = "",
    is_made_here: bool = False,
    is_admin: bool = False,
) -> dict[Finding, str]:
    """The findings about a key, each with a sentence.

    `purpose` comes from its note. `permission` is "" when nobody here knows it; Estuary does not
    say. Session keys and keys that have ended have no findings: nothing is to be done about them.
    """
    if key.is_session or key.is_expired(node_now):
        return {}
    found = {}
    if reasons := _over_policy(policy, key, node_now, permission, is_admin=is_admin):
        found[Finding.OVER_POLICY] = " ".join(reasons)
    if not shows_something(purpose):
        found[Finding.NO_PURPOSE] = "Nobody has said what this key is for."
    if not is_made_here:
        found[Finding.NOT_MADE_HERE] = "This key was not created in this console."
    return found


def _over_policy(
    policy: Policy, key: ApiKey, node_now: datetime, permission: str, *, is_admin: bool
) -> list[str]:
    # The time that is left: Estuary does not say when a key was made.
    left = None if key.is_permanent_at(node_now) else key.expiry - node_now
    reasons = []
    if not policy.allows_lifetime(left, is_admin=is_admin):
        reasons.append(lifetime_sentence(policy, is_admin=is_admin))
    if permission and permission not in policy.permissions:
        reasons.append(permission_sentence(policy))
    if not policy.allows_label(key.label):
        reasons.append(label_sentence(policy))
    return reasons
