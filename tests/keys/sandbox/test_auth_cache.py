"""An accepted token stays accepted for ten seconds, but not past its expiry."""

from __future__ import annotations

import json
from datetime import timedelta

from keys.sandbox import Sandbox
from tests.keys.sandbox.clock import Clock
from tests.keys.sandbox.conftest import Account
from tests.keys.sandbox.wire import ask


def test_a_revoked_key_can_still_make_keys_that_outlive_it(account: Account) -> None:
    account.ask("GET", "/user/stats")
    account.node.remove_key(account.token)

    heir = json.loads(account.ask("POST", "/user/api-keys?label=heir").body)["token"]
    account.clock.move(10.1)

    assert account.ask("GET", "/user/stats").status == 401
    assert ask(account.node, "GET", "/user/stats", heir).status == 200


def test_a_key_revoked_unused_is_refused_at_once(account: Account) -> None:
    account.node.remove_key(account.token)

    assert account.ask("GET", "/user/stats").status == 401


def test_expiry_counts_within_the_ten_seconds(account: Account) -> None:
    brief = account.node.add_key(account.user, lifetime=timedelta(seconds=2))

    assert ask(account.node, "GET", "/user/stats", brief).status == 200
    account.clock.move(2.1)
    assert ask(account.node, "GET", "/user/stats", brief).status == 401


def test_a_refusal_is_not_cached(account: Account) -> None:
    token = "EST11111111-1111-4111-8111-111111111111ARY"
    assert ask(account.node, "GET", "/user/stats", token).status == 401

    account.node.add_key(account.user, token=token)

    assert ask(account.node, "GET", "/user/stats", token).status == 200


def test_the_viewer_shows_a_second_key_the_expiry_of_the_first(account: Account) -> None:
    permanent = account.node.add_key(account.user, lifetime=None)
    first = account.ask("GET", "/viewer").body

    assert ask(account.node, "GET", "/viewer", permanent).body == first
    assert ask(account.node, "GET", "/viewer?x=1", permanent).body != first
    account.clock.move(10.1)
    assert ask(account.node, "GET", "/viewer", permanent).body != first


def test_older_generations_have_no_cache() -> None:
    clock = Clock()
    with Sandbox(generation="legacy", clock=clock.seconds) as node:
        user = node.add_user("alice")
        token, permanent = node.add_key(user), node.add_key(user, lifetime=None)
        viewed = ask(node, "GET", "/viewer", token).body
        node.remove_key(token)

        assert ask(node, "GET", "/user/stats", token).status == 401
        assert ask(node, "GET", "/viewer", permanent).body != viewed
