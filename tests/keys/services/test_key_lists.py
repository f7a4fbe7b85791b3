"""The list that is kept between pages: no token in it, and none of it in another account."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache

from keys.actors import Actor
from keys.sandbox import Fault, Sandbox
from keys.sandbox.state import User as Account
from keys.services.key_lists import current_list, last_known
from keys.upstream import UpstreamError, hash_of
from tests.conftest import connect


def actor_of(member: User) -> Actor:
    return Actor(member, "192.0.2.1", "made-by-a-test")


@pytest.mark.parametrize("era", ["current", "transitional", "legacy"])
def test_no_token_is_kept(
    alice: User, node: Sandbox, account: Account, token: str, era: str
) -> None:
    other = node.add_key(account, era=era)
    stored = connect(alice, token)

    listed = current_list(stored, actor_of(alice), reuse=False)

    assert listed.find(hash_of(other))
    kept = pickle.dumps(cache.get(f"key-list:{stored.pk}"))
    assert other.encode() not in kept
    assert token.encode() not in kept


def test_a_list_is_known_for_a_day(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        current_list(stored, actor_of(alice), reuse=False)
        node.set_fault("list", Fault("500"))

        clock.shift(timedelta(hours=23, minutes=59))
        stale = current_list(stored, actor_of(alice), reuse=True)
        assert stale.stale_reason.startswith("Estuary failed")
        assert stale.find(hash_of(token))

        clock.shift(timedelta(minutes=2))
        with pytest.raises(UpstreamError):
            current_list(stored, actor_of(alice), reuse=True)


def test_a_stale_list_is_not_kept_as_a_fresh_one(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    fresh = current_list(stored, actor_of(alice), reuse=False)
    node.set_fault("list", Fault("500"))

    current_list(stored, actor_of(alice), reuse=False)

    assert last_known(stored) == fresh


def test_connecting_again_does_not_bring_back_an_old_list(
    alice: User, node: Sandbox, token: str
) -> None:
    current_list(connect(alice, token), actor_of(alice), reuse=False)

    assert last_known(connect(alice, token)) is None
