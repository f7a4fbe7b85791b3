"""Exports stay with their account when the console changes over to another token of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.exports import leases, preparing
from keys.exports.accounts import follow_token
from keys.exports.file_store import file_store
from keys.exports.preparing import prepare_due
from keys.exports.room import NoRoom, Room
from keys.models import ExportLease, PreparedExport, StoredToken, Worker
from keys.sandbox import Sandbox
from keys.sandbox.estuary.auth import Authorization
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_rotate import rotate
from tests.keys.evidence import words_of
from tests.keys.exports.conftest import PREPARE


def token_of(node: Sandbox, member: User) -> str:
    """The token at the node with which the console works for a member."""
    stored = StoredToken.objects.get(member=member).token_hash
    return next(token for token in node.state.keys if hash_of(token) == stored)


def rotate_connected(browser: Client, node: Sandbox, member: User, overlap: str = "24h") -> None:
    """Rotate the key with which the console works for a member."""
    token = token_of(node, member)
    rotate(browser, token, label="console", permission="all", overlap=overlap)
    assert token_of(node, member) != token


def hashes() -> set[str]:
    return set(PreparedExport.objects.values_list("token_hash", flat=True))


def test_an_export_that_waits_is_prepared_with_the_new_token(
    owner: Client, worker: Worker, node: Sandbox, alice: User
) -> None:
    owner.post(PREPARE)

    rotate_connected(owner, node, alice)
    prepare_due()

    assert PreparedExport.objects.get().state == "ready"
    assert hashes() == {hash_of(token_of(node, alice))}


def test_the_room_of_an_account_does_not_grow_with_a_new_token(
    prepared: PreparedExport, owner: Client, node: Sandbox, alice: User, settings: Any
) -> None:
    rotate_connected(owner, node, alice)
    settings.EXPORT_QUOTA_GIB = prepared.stored_size / 1024**3

    with pytest.raises(NoRoom):
        Room(file_store(), hash_of(token_of(node, alice)), is_team_part=False)
    assert "take all the room" in words_of(owner.post(PREPARE, follow=True))


def test_a_second_export_of_an_account_does_not_run_beside_the_first(
    owner: Client, worker: Worker, node: Sandbox, alice: User
) -> None:
    owner.post(PREPARE)
    lease = leases.take(Actor.for_job("export", alice), hashes().pop())

    rotate_connected(owner, node, alice)

    assert "is being prepared already" in words_of(owner.post(PREPARE, follow=True))
    assert "An export of this account is running" in words_of(owner.post("/exports/download/"))
    assert leases.renew([lease.pk]) == set()
    leases.release(lease)
    assert not ExportLease.objects.exists()


def test_an_export_that_is_being_fetched_ends_well(
    owner: Client,
    worker: Worker,
    node: Sandbox,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = preparing._store

    def rotate_meanwhile(*arguments: Any) -> Any:
        rotate_connected(owner, node, alice, overlap="now")
        return store(*arguments)

    monkeypatch.setattr(preparing, "_store", rotate_meanwhile)
    owner.post(PREPARE)

    prepare_due()

    assert PreparedExport.objects.get().state == "ready"
    assert not ExportLease.objects.exists()
    assert hashes() == {hash_of(token_of(node, alice))}


@pytest.mark.parametrize("step", ["_confirm_wanted", "_expected_size"])
def test_a_token_that_ends_between_two_steps_does_not_fail_the_export(
    owner: Client,
    worker: Worker,
    node: Sandbox,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    # Without the ten seconds for which a node accepts a revoked token.
    monkeypatch.setattr(Authorization, "_check", Authorization._look_up)
    original = getattr(preparing, step)
    rotations = iter([rotate_connected])

    def rotate_first(*arguments: Any) -> Any:
        for rotate_once in rotations:
            rotate_once(owner, node, alice, overlap="now")
        return original(*arguments)

    monkeypatch.setattr(preparing, step, rotate_first)
    owner.post(PREPARE)

    prepare_due()

    row = PreparedExport.objects.get()
    assert (row.state, row.content_count) == ("ready", 3000)


def test_exports_of_another_member_stay_with_the_token_that_they_use(
    owner: Client, worker: Worker, node: Sandbox, alice: User
) -> None:
    shared = token_of(node, alice)
    bob = User.objects.create_user("bob")
    connect(bob, shared)
    signed_in(bob).post(PREPARE)
    leases.take(Actor.for_job("export", bob), hash_of(shared))

    rotate_connected(owner, node, alice)

    assert PreparedExport.objects.get(member=bob).token_hash == hash_of(shared)
    assert leases.is_taken(hash_of(shared))
    ExportLease.objects.all().delete()
    prepare_due()
    assert PreparedExport.objects.get(member=bob).state == "ready"


def test_the_token_changes_although_somebody_prepares_an_export_with_the_new_one(
    owner: Client, worker: Worker, node: Sandbox, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account has one unfinished export at most: the older one has to fail."""
    bob = User.objects.create_user("bob")

    def begun_before(member: User, old_hash: str, new_hash: str) -> None:
        PreparedExport.objects.create(member=bob, token_hash=new_hash)
        follow_token(member, old_hash, new_hash)

    monkeypatch.setattr("keys.token.stored_tokens.follow_token", begun_before)
    owner.post(PREPARE)

    rotate_connected(owner, node, alice)

    assert PreparedExport.objects.get(member=bob).token_hash == hash_of(token_of(node, alice))
    assert PreparedExport.objects.get(member=alice).token_hash != hash_of(token_of(node, alice))


def test_an_account_that_is_connected_by_hand_is_another_one(
    owner: Client, worker: Worker, node: Sandbox, alice: User
) -> None:
    owner.post(PREPARE)
    before = hashes()
    connect(alice, node.add_key(node.add_user("another", contents=1)))

    prepare_due()

    assert PreparedExport.objects.get().reason == "disconnected"
    assert hashes() == before
