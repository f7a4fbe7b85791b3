"""Revoking under every fault: the page says what the node's list says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.faults.matrix import ALL, SENTENCE, Visit, assert_in_time, post, visit


def assert_true(seen: Visit, *, is_listed: bool) -> None:
    if "Revoked “doomed”" in seen.words:
        assert not is_listed
    elif "is not revoked" in seen.words:
        assert is_listed
    else:
        assert SENTENCE.search(seen.words), seen.words
        assert "Nothing was changed" not in seen.words or is_listed


@pytest.mark.parametrize("fault", ALL)
def test_the_page_says_what_became_of_the_key(
    browser: Client, node: Sandbox, account: Account, settings: Any, fault: str
) -> None:
    token = node.add_key(account, label="doomed")
    browser.get("/keys/")

    seen = visit(
        settings, node, "revoke", fault, post(browser, f"/keys/{hash_of(token)}/revoke/", {})
    )

    assert_in_time(seen.seconds)
    assert seen.response.status_code in {200, 429, 502}
    assert_true(seen, is_listed=token in node.state.keys)
    assert token not in seen.response.content.decode()


@pytest.mark.parametrize("generation", ["current", "legacy", "vintage"])
def test_a_node_that_only_claims_to_revoke_is_found_out(
    alice: Any, settings: Any, generation: str
) -> None:
    with Sandbox(generation=generation, rate_limit=None) as node:
        settings.ESTUARY_API_URL = settings.ESTUARY_API_URL._replace(
            scheme="http", netloc=node.url.removeprefix("http://")
        )
        account = node.add_user("alice")
        connect(alice, node.add_key(account, label="console"))
        token = node.add_key(account, label="doomed")
        node.set_fault("revoke", Fault("silent-ok"))
        response = signed_in(alice).post(f"/keys/{hash_of(token)}/revoke/", follow=True)

    assert "Estuary still lists it" in response.content.decode()


@pytest.mark.parametrize("fault", ["never answering", "refused", "500", "reset after the work"])
def test_revoking_the_consoles_own_key_claims_nothing_that_did_not_happen(
    browser: Client, node: Sandbox, token: str, settings: Any, fault: str
) -> None:
    path = f"/keys/{hash_of(token)}/revoke/"

    seen = visit(settings, node, "revoke", fault, post(browser, path, {"confirm_own": "on"}))

    is_listed = token in node.state.keys
    assert StoredToken.objects.exists() or not is_listed
    if "This console is disconnected" in seen.words:
        assert not is_listed


@pytest.mark.parametrize("fault", ALL)
def test_revoking_expired_keys_says_for_each_what_became_of_it(
    browser: Client, node: Sandbox, account: Account, settings: Any, fault: str
) -> None:
    tokens = [
        node.add_key(account, label=f"old {number}", lifetime=timedelta(days=-number))
        for number in (1, 2)
    ]
    browser.get("/keys/")

    seen = visit(settings, node, "revoke", fault, post(browser, "/keys/revoke-expired/", {}))

    assert_in_time(seen.seconds)
    assert seen.response.status_code in {200, 429, 502}
    gone = sum(token not in node.state.keys for token in tokens)
    if " of 2 keys revoked" in seen.words:
        assert int(seen.words.partition(" of 2 keys revoked")[0][-1]) <= gone
