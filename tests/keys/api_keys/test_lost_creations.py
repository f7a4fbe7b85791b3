"""Creations whose end was not recorded are judged by Estuary's list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys.create import create_key
from keys.api_keys.lost_creations import reconcile_overdue
from keys.audit.vocabulary import Action
from keys.models import KeyCreation, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import KeySpec, Permission, hash_of
from tests.conftest import connect
from tests.keys.evidence import last_row

WEEK = timedelta(days=7)
SPEC = KeySpec("backup", WEEK, Permission.UPLOAD)
AGO = timedelta(minutes=5)
PERMANENT = timedelta(days=36_500)


@pytest.fixture
def stored(alice: User, node: Sandbox, token: str) -> StoredToken:
    return connect(alice, token)


def killed(member: User, ago: timedelta = AGO, **values: Any) -> KeyCreation:
    facts = {"label": "backup", "permission": "upload", "lifetime": WEEK, "nonce": "n"} | values
    return KeyCreation.objects.create(member=member, requested_at=timezone.now() - ago, **facts)


def told(member: User, stored: StoredToken) -> KeyCreation:
    return create_key(Actor(member, "", ""), stored, SPEC, "n").record


def test_the_key_is_found_by_its_label_and_expiry(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    made = node.add_key(account, label="backup", lifetime=WEEK - AGO + timedelta(seconds=2))
    node.add_key(account, label="backup", lifetime=timedelta(days=90))  # older, and somebody's
    killed(alice)

    record = told(alice, stored)

    assert (record.outcome, record.token_hash) == ("found", hash_of(made))
    assert KeyCreation.objects.get().outcome == "found"
    assert last_row(Action.KEY_CREATED).detail == {"reason": "found-out-late"}
    assert last_row(Action.KEY_CREATED).token_hash == hash_of(made)


def test_without_such_a_label_no_key_was_created(alice: User, stored: StoredToken) -> None:
    killed(alice)

    assert told(alice, stored).outcome == "not-created"
    assert KeyCreation.objects.get().outcome == "not-created"


def test_a_key_that_another_form_made_is_not_this_one(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    other = node.add_key(account, label="backup", lifetime=WEEK - AGO)
    killed(alice, nonce="other", token_hash=hash_of(other), outcome="created")
    killed(alice)

    assert told(alice, stored).outcome == "not-created"


@pytest.mark.parametrize(
    ("lifetimes", "ours"),
    [
        ([timedelta(days=90)], WEEK),  # may be somebody's good key
        ([WEEK - AGO, WEEK - AGO], WEEK),  # which of them?
        ([timedelta(days=36500)], None),
    ],
)
def test_an_ambiguous_list_leaves_the_record_open(
    alice: User,
    stored: StoredToken,
    node: Sandbox,
    account: Account,
    lifetimes: list[timedelta],
    ours: timedelta | None,
) -> None:
    for lifetime in lifetimes:
        node.add_key(account, label="backup", lifetime=lifetime)
    killed(alice, lifetime=ours)

    assert told(alice, stored).outcome == "unknown"
    assert KeyCreation.objects.get().outcome == "requested"  # to be asked again


def test_while_estuary_is_away_nothing_is_claimed(
    alice: User, stored: StoredToken, node: Sandbox
) -> None:
    killed(alice)
    node.set_fault("list", Fault("500"))
    assert told(alice, stored).outcome == "unknown"
    node.clear_faults()

    assert told(alice, stored).outcome == "not-created"


def test_a_request_that_may_still_be_under_way_is_not_judged(
    alice: User, stored: StoredToken, node: Sandbox, settings: Any
) -> None:
    settings.ESTUARY_TIMEOUT = 1
    killed(alice, ago=timedelta(seconds=30))
    node.forget_requests()

    assert told(alice, stored).outcome == "unknown"
    assert node.requests == []


@pytest.mark.parametrize("lifetime", [WEEK, None])
@pytest.mark.parametrize("offset", [-3600, 0, 3600])
def test_the_key_is_found_when_the_clocks_differ(
    alice: User,
    stored: StoredToken,
    node: Sandbox,
    account: Account,
    lifetime: timedelta | None,
    offset: int,
) -> None:
    node.clock_offset = offset
    made = node.add_key(account, label="backup", lifetime=(lifetime or PERMANENT) - AGO)
    killed(alice, lifetime=lifetime)

    record = told(alice, stored)

    assert (record.outcome, record.token_hash) == ("found", hash_of(made))


def test_the_job_settles_overdue_records(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    node.add_key(account, label="backup", lifetime=WEEK - AGO)
    killed(alice)
    killed(alice, nonce="of a fresh form", ago=timedelta(0))

    assert reconcile_overdue() == 1

    assert sorted(KeyCreation.objects.values_list("outcome", flat=True)) == ["found", "requested"]
    row = last_row(Action.KEY_CREATED)
    assert (row.job, row.outcome) == ("reconcile", "unknown")


def test_a_member_whose_token_cannot_be_read_does_not_hold_up_the_others(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    bob, gone = User.objects.create_user("bob"), User.objects.create_user("gone")
    connect(bob, node.add_key(node.add_user("bob")))
    StoredToken.objects.filter(member=bob).update(sealed="not sealed by any key")
    killed(bob, nonce="bob's")
    killed(gone, nonce="of a member without a token")
    killed(alice)

    assert reconcile_overdue() == 1

    outcomes = dict(KeyCreation.objects.values_list("member__username", "outcome"))
    assert outcomes == {"alice": "not-created", "bob": "requested", "gone": "requested"}


def test_a_list_that_was_not_read_whole_proves_nothing(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    node.state.keys[node.add_key(account)].row = b'{"tokenHash":"x"}'
    killed(alice)

    assert told(alice, stored).outcome == "unknown"
    assert KeyCreation.objects.get().outcome == "requested"
