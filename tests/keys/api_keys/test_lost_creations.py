"""Creations whose end was not recorded are judged by Estuary's list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys.conclusions import Conclusion, write_conclusions
from keys.api_keys.create import create_key
from keys.api_keys.lost_creations import reconcile_overdue
from keys.audit.vocabulary import Action
from keys.models import KeyCreation, KeyNote, Message, Rotation, StoredToken
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


def give_up_is_due() -> None:
    KeyCreation.objects.update(requested_at=timezone.now() - timedelta(hours=1))


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


def test_what_the_list_never_tells_is_given_up_and_the_member_told(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    node.add_key(account, label="backup", lifetime=timedelta(days=90))  # perhaps somebody's
    killed(alice)
    reconcile_overdue()
    assert KeyCreation.objects.get().outcome == "requested"

    give_up_is_due()
    for _ in range(2):
        reconcile_overdue()

    assert KeyCreation.objects.get().outcome == "unknown"
    row = last_row(Action.KEY_CREATED)
    assert (row.outcome, row.detail) == ("unknown", {"reason": "given-up"})
    [message] = Message.objects.all()
    assert message.subject == "It is not known whether “backup” was created"
    assert "If you have copied its token, keep the key." in message.text


def test_without_a_list_nothing_is_given_up(
    alice: User, stored: StoredToken, node: Sandbox
) -> None:
    killed(alice)
    give_up_is_due()
    node.set_fault("list", Fault("500"))

    reconcile_overdue()

    assert KeyCreation.objects.get().outcome == "requested"
    assert not Message.objects.exists()


def test_a_key_that_was_given_up_is_found_when_the_list_tells_it_later(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    hidden = node.state.keys[node.add_key(account)]
    hidden.row = b'{"tokenHash":"x"}'  # a row that cannot be read may be the key
    killed(alice, ago=timedelta(hours=1), purpose="copies")
    reconcile_overdue()
    assert KeyCreation.objects.get().outcome == "unknown"

    node.remove_key(hidden.token)
    made = node.add_key(account, label="backup", lifetime=WEEK - timedelta(hours=1))
    for _ in range(2):
        reconcile_overdue()

    record = KeyCreation.objects.get()
    assert (record.outcome, record.token_hash) == ("found", hash_of(made))
    assert KeyNote.objects.get().purpose == "copies"
    assert Message.objects.latest("pk").subject == "“backup” was created"
    assert Message.objects.count() == 2


def test_a_key_of_unknown_outcome_is_not_looked_for_without_end(
    alice: User, stored: StoredToken, node: Sandbox
) -> None:
    killed(alice, ago=timedelta(days=2), outcome="unknown")
    node.forget_requests()

    assert reconcile_overdue() == 0
    assert node.requests == []


def test_the_outcome_that_a_request_records_late_counts_after_all(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    """The database was away for long, and the worker gave up before the request could write."""
    made = node.add_key(account, label="backup", lifetime=timedelta(days=90))
    record = killed(alice, ago=timedelta(hours=1))
    reconcile_overdue()
    actor, created = Actor(alice, "", ""), Conclusion(KeyCreation.Outcome.CREATED, hash_of(made))

    write_conclusions(actor, stored, [(record, created)])

    assert KeyCreation.objects.get().outcome == "created"


def test_the_member_is_told_once_of_a_key_that_the_job_has_found(
    alice: User, stored: StoredToken, node: Sandbox, account: Account
) -> None:
    made = node.add_key(account, label="backup", lifetime=WEEK - AGO)
    killed(alice)

    for _ in range(2):
        reconcile_overdue()

    [notice] = Message.objects.filter(member=alice, channel="page")
    assert notice.subject == "“backup” was created"
    assert f"Estuary lists the key “backup” ({hash_of(made)[:8]})" in notice.text
    assert "could not record whether its token was shown to you" in notice.text
    assert notice.data == {"path": f"/keys/{hash_of(made)}/"}
    assert made not in str(vars(notice))


@pytest.mark.parametrize("is_first", [True, False])
def test_nobody_is_told_of_a_key_that_the_console_made_for_itself(
    alice: User, stored: StoredToken, node: Sandbox, account: Account, is_first: bool
) -> None:
    node.add_key(account, label="backup", lifetime=WEEK - AGO)
    record = killed(alice, nonce="n" if is_first else f"renew:{stored.token_hash}:0")
    Rotation.objects.create(
        creation=record,
        member=alice,
        old_hash=stored.token_hash,
        stored_hash=stored.token_hash,
        old_expiry=timezone.now() + WEEK,
        ends_at=timezone.now() + WEEK,
        latest_end=timezone.now() + WEEK,
        keeps_old=is_first,
        due_at=None,
    )

    assert reconcile_overdue() == 1

    assert KeyCreation.objects.get().outcome == "found"
    assert not Message.objects.exists()  # the worker revokes it and makes another


def test_nobody_is_told_of_a_key_that_was_not_made(
    alice: User, stored: StoredToken, node: Sandbox
) -> None:
    killed(alice)

    assert reconcile_overdue() == 1

    assert not Message.objects.exists()


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
