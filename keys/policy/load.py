"""The policy from the settings; a value that makes no sense stops the start."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from estuary_admin.unicode_text import shows_something
from keys.policy.patterns import LabelPattern, PatternError
from keys.policy.rules import MAX_LABEL_LENGTH, NoEnd, Policy
from keys.upstream import PERMANENT_FROM, Permission
from keys.upstream.durations import DurationError, parse_lifetime


def current_policy() -> Policy:
    """The policy of the settings; raises ImproperlyConfigured for a wrong value."""
    return _policy(tuple(sorted(settings.POLICY.items())))


@cache
def _policy(values: tuple[tuple[str, str], ...]) -> Policy:
    found = dict(values)
    longest = _longest_lifetime(found["POLICY_LONGEST_LIFETIME"])
    permissions = _permissions(found["POLICY_PERMISSIONS"])
    pattern, example = _label(found["POLICY_LABEL_PATTERN"], found["POLICY_LABEL_EXAMPLE"])
    most = found["POLICY_MAX_KEYS"]
    return Policy(
        longest_lifetime=longest,
        no_end=_no_end(found["POLICY_NO_END"], longest),
        permissions=permissions,
        default_permission=_default(found["POLICY_DEFAULT_PERMISSION"], permissions),
        label_pattern=pattern,
        label_example=example,
        is_purpose_required=found["POLICY_PURPOSE_REQUIRED"] == "true",
        max_keys=int(most) if most != "0" else None,
    )


def _longest_lifetime(text: str) -> timedelta | None:
    try:
        longest = parse_lifetime(text) if text else None
    except DurationError:
        raise _wrong("POLICY_LONGEST_LIFETIME", text, "a length of time such as 90d") from None
    if longest and longest > PERMANENT_FROM:  # a key that lives longer counts as one without end
        raise _wrong("POLICY_LONGEST_LIFETIME", text, "50 years at most, or leave it out")
    return longest


def _no_end(text: str, longest: timedelta | None) -> NoEnd:
    """Unless it is set, a longest lifetime also forbids keys without an end."""
    if text:
        if text not in set(NoEnd):
            raise _wrong("POLICY_NO_END", text, "allow, admins or forbid")
        return NoEnd(text)
    return NoEnd.ALLOW if longest is None else NoEnd.FORBID


def _permissions(text: str) -> tuple[Permission, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not words or not set(words) <= set(Permission):
        raise _wrong("POLICY_PERMISSIONS", text, "upload, all, or both with a comma between them")
    return tuple(one for one in (Permission.UPLOAD, Permission.ALL) if one in words)


def _default(text: str, allowed: tuple[Permission, ...]) -> Permission:
    if not text:
        return allowed[0]
    if text not in allowed:
        raise _wrong("POLICY_DEFAULT_PERMISSION", text, "one of POLICY_PERMISSIONS")
    return Permission(text)


def _label(pattern: str, example: str) -> tuple[LabelPattern | None, str]:
    if not pattern:
        return None, ""
    try:
        compiled = LabelPattern(pattern)
    except PatternError:
        right = "a regular expression of RE2, which has no look-around and no back-references"
        raise _wrong("POLICY_LABEL_PATTERN", pattern, right) from None
    is_label = shows_something(example) and example.isprintable() and example == example.strip()
    if not is_label or len(example) > MAX_LABEL_LENGTH or not compiled.fullmatch(example):
        wanted = "a label that POLICY_LABEL_PATTERN matches as a whole: members are shown it"
        raise _wrong("POLICY_LABEL_EXAMPLE", example, wanted)
    return compiled, example


def _wrong(name: str, value: str, right: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}; give {right}.")
