"""The stored token, and how every process learns that a list is out of date."""

from __future__ import annotations

import base64
from typing import Any

from django.contrib.auth.models import User

from estuary_admin.secrets import sealing
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.models import StoredToken
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token.stored_tokens import disconnect_token, forget_list, reseal_all
from keys.upstream import hash_of
from tests.conftest import connect
from tests.keys.evidence import asked, audited


def actor_of(member: User) -> Actor:
    return Actor(member, "192.0.2.1", "made-by-a-test")


def test_only_the_sealed_token_and_its_hash_are_kept(alice: User, token: str) -> None:
    stored = connect(alice, token)

    assert token not in str(vars(StoredToken.objects.get()))
    assert str(stored) == f"{hash_of(token)[:8]} of member {alice.pk}"


def test_a_member_has_one_token(alice: User, node: Sandbox, account: Account, token: str) -> None:
    first = connect(alice, token)
    second = connect(alice, node.add_key(account))

    assert StoredToken.objects.count() == 1
    assert second.pk == first.pk
    assert second.list_version > first.list_version


def test_disconnecting_twice_is_told(alice: User, token: str) -> None:
    stored = connect(alice, token)

    assert disconnect_token(actor_of(alice), stored)
    assert not disconnect_token(actor_of(alice), stored)
    assert audited().count(("token:disconnected", "done")) == 1


def test_a_change_in_one_process_reaches_the_others(alice: User, node: Sandbox, token: str) -> None:
    connect(alice, token)
    here, there = StoredToken.objects.get(), StoredToken.objects.get()
    key_lists.current_list(there, actor_of(alice), reuse=True)
    node.forget_requests()

    forget_list(here)

    there = StoredToken.objects.get()  # as the next request of the other process reads it
    key_lists.current_list(there, actor_of(alice), reuse=True)
    assert asked(node) == ["GET /user/api-keys"]


def test_a_list_fetched_before_a_change_is_not_used_after_it(
    alice: User, node: Sandbox, token: str
) -> None:
    connect(alice, token)
    slow, quick = StoredToken.objects.get(), StoredToken.objects.get()
    forget_list(quick)

    key_lists.current_list(slow, actor_of(alice), reuse=False)  # keeps it under the old version

    assert key_lists.last_known(StoredToken.objects.get()) is None


def test_resealing_does_not_undo_a_connection_made_meanwhile(
    alice: User, node: Sandbox, account: Account, token: str, settings: Any, monkeypatch: Any
) -> None:
    connect(alice, token)
    other = node.add_key(account)
    settings.TOKEN_SEALING_KEYS = [
        base64.b64encode(b"n" * 32).decode(),
        *settings.TOKEN_SEALING_KEYS,
    ]
    unseal = sealing.unseal

    def unseal_slowly(sealed: str, member_id: int) -> str:
        monkeypatch.setattr(sealing, "unseal", unseal)
        connect(alice, other)
        return unseal(sealed, member_id)

    monkeypatch.setattr(sealing, "unseal", unseal_slowly)

    assert reseal_all() == (0, 0)
    assert unseal(StoredToken.objects.get().sealed, alice.pk) == other


def test_discarding_the_list_of_a_disconnected_member_does_nothing(alice: User, token: str) -> None:
    stored = connect(alice, token)
    StoredToken.objects.all().delete()

    forget_list(stored)

    assert not StoredToken.objects.exists()
