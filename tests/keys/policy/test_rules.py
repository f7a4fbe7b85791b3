"""What the policy allows, what it says beforehand, and what it finds about existing keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keys.actors import Actor
from keys.policy.enforce import check_new_key
from keys.policy.patterns import LabelPattern
from keys.policy.rules import (
    Field,
    Finding,
    NoEnd,
    Policy,
    PolicyRefused,
    findings_of,
    problems_of,
    rules_in_words,
)
from keys.upstream import ApiKey, KeyList, KeySpec, NodeClock, Permission

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STRICT = Policy(
    longest_lifetime=90 * DAY,
    no_end=NoEnd.FORBID,
    permissions=(Permission.UPLOAD,),
    label_pattern=LabelPattern(r"[a-z]+-[a-z]+"),
    label_example="ci-backup",
    is_purpose_required=True,
    max_keys=20,
)


def spec(
    label: str = "ci-backup",
    lifetime: timedelta | None = 30 * DAY,
    permission: Permission = Permission.UPLOAD,
) -> KeySpec:
    return KeySpec(label, lifetime, permission)


def fields(policy: Policy, key: KeySpec, purpose: str = "x", **more: int) -> list[Field]:
    found = problems_of(policy, key, purpose, is_admin=bool(more.pop("admin", 0)), **more)
    return [problem.field for problem in found]


def test_without_a_policy_everything_is_allowed_and_nothing_said() -> None:
    anything = spec("ÜBER 🔑", None, Permission.ALL)

    assert fields(Policy(), anything, "", key_count=10_000) == []
    assert rules_in_words(Policy(), is_admin=False) == []


def test_a_key_within_the_policy_is_allowed() -> None:
    assert fields(STRICT, spec(lifetime=90 * DAY), key_count=19) == []


@pytest.mark.parametrize(
    ("key", "purpose", "field"),
    [
        (spec(label="backup"), "x", Field.LABEL),
        (spec(label="ci-backup "), "x", Field.LABEL),
        (spec(label="ci-backup\nx"), "x", Field.LABEL),
        (spec(lifetime=90 * DAY + timedelta(seconds=1)), "x", Field.LIFETIME),
        (spec(lifetime=None), "x", Field.LIFETIME),
        (spec(permission=Permission.ALL), "x", Field.PERMISSION),
        (spec(), "", Field.PURPOSE),
        (spec(), "  ", Field.PURPOSE),
    ],
)
def test_each_rule_names_its_field(key: KeySpec, purpose: str, field: Field) -> None:
    assert fields(STRICT, key, purpose) == [field]


@pytest.mark.parametrize(("count", "refused"), [(0, False), (19, False), (20, True), (21, True)])
def test_an_account_may_have_so_many_keys(count: int, refused: bool) -> None:
    assert fields(STRICT, spec(), key_count=count) == ([Field.NONE] if refused else [])


@pytest.mark.parametrize(
    ("no_end", "member", "admin"),
    [(NoEnd.ALLOW, True, True), (NoEnd.ADMINS, False, True), (NoEnd.FORBID, False, False)],
)
def test_keys_without_end_are_for_those_whom_the_policy_names(
    no_end: NoEnd, member: bool, admin: bool
) -> None:
    policy = Policy(no_end=no_end)

    assert (fields(policy, spec(lifetime=None)) == []) is member
    assert (fields(policy, spec(lifetime=None), admin=1) == []) is admin


def test_all_rules_are_said_beforehand() -> None:
    assert rules_in_words(STRICT, is_admin=False) == [
        "A key may last at most 90 days.",
        "Every key must have the permission “Upload only”.",
        "A label must look like “ci-backup”.",
        "A purpose is required.",
        "An account may have 20 keys.",
    ]


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (Policy(no_end=NoEnd.FORBID), "Every key must expire."),
        (
            Policy(longest_lifetime=DAY, no_end=NoEnd.ALLOW),
            "A key may last at most 1 day, or have no expiry.",
        ),
        (
            Policy(permissions=(Permission.ALL,)),
            "Every key must have the permission “Full access”.",
        ),
        (Policy(max_keys=1), "An account may have 1 key."),
    ],
)
def test_a_rule_reads_as_a_sentence(policy: Policy, sentence: str) -> None:
    assert rules_in_words(policy, is_admin=False) == [sentence]


def test_what_is_refused_is_what_was_said() -> None:
    refused = problems_of(STRICT, spec("x", None, Permission.ALL), "", is_admin=False, key_count=99)

    said = rules_in_words(STRICT, is_admin=False)
    assert {problem.sentence for problem in refused[:3]} == set(said[:3])


def key(label: str = "ci-backup", left: timedelta = 30 * DAY, **more: bool) -> ApiKey:
    return ApiKey("h" * 43, label, NOW + left, more.pop("is_session", False), **more)


def found(policy: Policy, listed: ApiKey, **known: str | bool) -> dict[Finding, str]:
    about = {"purpose": "backups", "is_made_here": True} | known
    return findings_of(policy, listed, NOW, **about)  # type: ignore[arg-type]


def test_a_good_key_has_no_findings() -> None:
    assert found(STRICT, key(), permission="upload") == {}
    assert found(STRICT, key(), permission="") == {}  # nobody knows it


@pytest.mark.parametrize(
    ("listed", "permission", "sentence"),
    [
        (key(left=91 * DAY), "", "A key may last at most 90 days."),
        (key(left=36_000 * DAY), "", "A key may last at most 90 days."),
        (key(label="Backup"), "", "A label must look like “ci-backup”."),
        (key(label=""), "", "A label must look like “ci-backup”."),
        (key(label="a" * 60_000 + "-a"), "", "A label must look like “ci-backup”."),
        (key(), "all", "Every key must have the permission “Upload only”."),
    ],
)
def test_a_key_over_policy_is_found_with_the_reason(
    listed: ApiKey, permission: str, sentence: str
) -> None:
    assert found(STRICT, listed, permission=permission) == {Finding.OVER_POLICY: sentence}


def test_an_admins_key_without_end_is_within_a_policy_for_admins() -> None:
    policy, endless = Policy(no_end=NoEnd.ADMINS), key(left=36_000 * DAY)

    assert found(policy, endless, is_admin=True) == {}
    assert list(found(policy, endless)) == [Finding.OVER_POLICY]


def test_a_key_made_elsewhere_without_purpose_is_found_under_any_policy() -> None:
    assert list(found(Policy(), key(), purpose=" ", is_made_here=False)) == [
        Finding.NO_PURPOSE,
        Finding.NOT_MADE_HERE,
    ]
    assert [one.words for one in Finding] == ["Over policy", "No purpose", "Not made here"]


@pytest.mark.parametrize("listed", [key(left=-DAY), key(left=400 * DAY, is_session=True)])
def test_ended_keys_and_session_keys_have_no_findings(listed: ApiKey) -> None:
    assert findings_of(STRICT, listed, NOW) == {}


def test_half_a_surrogate_pair_is_no_label_of_a_pattern() -> None:
    assert not LabelPattern(".*").fullmatch("ci-\ud83d")


@pytest.mark.django_db
def test_without_the_nodes_time_ended_keys_count_towards_the_most(
    settings: Any, django_user_model: Any
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_MAX_KEYS": "1"}
    ended = ApiKey("x" * 43, "ended", NOW - DAY, is_session=False)
    actor = Actor(django_user_model.objects.create_user("alice"), "", "")

    with pytest.raises(PolicyRefused):
        check_new_key(actor, spec(), "x", KeyList((ended,)))
    check_new_key(actor, spec(), "x", KeyList((ended,), clock=NodeClock(NOW, timedelta())))
