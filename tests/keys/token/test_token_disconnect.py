"""Disconnecting, and revoking the token at Estuary too when asked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token import views
from keys.token.stored_tokens import disconnect_token
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.evidence import asked, audited, words_of

URL = "/account/token/disconnect/"


def test_the_page_asks_for_confirmation(browser: Client, node: Sandbox, token: str) -> None:
    response = browser.get(URL)

    assert "Disconnect the key?" in words_of(response)
    assert hash_of(token)[:8] in words_of(response)
    assert StoredToken.objects.exists()
    assert node.requests == []


def test_disconnecting_deletes_the_token_here_only(
    browser: Client, node: Sandbox, token: str
) -> None:
    response = browser.post(URL, follow=True)

    assert response.redirect_chain == [("/account/token/", 302)]
    assert "still valid at Estuary" in words_of(response)
    assert not StoredToken.objects.exists()
    assert token in node.state.keys
    assert node.requests == []
    assert audited()[-1] == ("token:disconnected", "done")


def test_a_page_about_a_former_key_disconnects_no_other(
    browser: Client, alice: User, node: Sandbox, account: Account, token: str
) -> None:
    asked_about = browser.get(URL).context["form"]["fingerprint"].value()
    other = node.add_key(account)
    connect(alice, other)

    page = words_of(browser.post(URL, {"fingerprint": asked_about, "revoke": "on"}, follow=True))

    assert "Another key was connected meanwhile." in page
    assert hash_of(other)[:8] in page
    assert StoredToken.objects.exists()
    assert other in node.state.keys


def test_the_page_sends_which_key_it_is_about(browser: Client, token: str) -> None:
    page = browser.get(URL).content.decode()

    assert f'name="fingerprint" value="{hash_of(token)[:8]}"' in page


def test_disconnecting_works_while_estuary_is_down(browser: Client, node: Sandbox) -> None:
    node.stop()

    browser.post(URL)

    assert not StoredToken.objects.exists()


def test_revoking_too_ends_the_token_at_estuary(browser: Client, node: Sandbox, token: str) -> None:
    response = browser.post(URL, {"revoke": "on"}, follow=True)

    assert response.redirect_chain == [("/account/token/", 302)]
    assert f"Revoked Key {hash_of(token)[:8]}." in words_of(response)
    assert "This console is disconnected from it." in words_of(response)
    assert not StoredToken.objects.exists()
    assert token not in node.state.keys
    assert asked(node) == [
        "GET /user/api-keys",
        f"DELETE /user/api-keys/{hash_of(token)}",
        "GET /user/api-keys",
    ]
    assert audited()[-2:] == [("key:revoked", "done"), ("token:disconnected", "done")]


def test_a_token_that_estuary_still_lists_stays_connected(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("revoke", Fault("silent-ok"))

    page = words_of(browser.post(URL, {"revoke": "on"}, follow=True))

    assert f"Key {hash_of(token)[:8]} is not revoked: Estuary still lists it." in page
    assert "disconnected" not in page
    assert StoredToken.objects.exists()
    assert audited()[-1] == ("key:revoked", "failed")


def test_nothing_happens_while_estuary_is_down(browser: Client, node: Sandbox) -> None:
    node.stop()

    response = browser.post(URL, {"revoke": "on"})

    assert response.status_code == 502
    assert "Estuary could not be reached" in words_of(response)
    assert "Try again</a>" not in response.content.decode()
    assert StoredToken.objects.exists()


def test_a_token_revoked_elsewhere_can_be_disconnected(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.remove_key(token)
    node.set_fault("list", Fault("401-unknown"))

    refused = browser.post(URL, {"revoke": "on"})
    assert "Estuary refuses your key" in words_of(refused)
    assert StoredToken.objects.exists()

    browser.post(URL)
    assert not StoredToken.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_member_who_is_not_connected_is_redirected_to_connect(
    alice: User, method: str, node: Sandbox
) -> None:
    response = getattr(signed_in(alice), method)(URL)

    assert response["Location"] == "/account/token/"
    assert node.requests == []


def test_the_token_of_another_member_stays(browser: Client, carol: User, node: Sandbox) -> None:
    theirs = node.add_key(node.add_user("carol"))
    connect(carol, theirs)

    browser.post(URL, {"revoke": "on"})

    assert StoredToken.objects.get().member == carol
    assert theirs in node.state.keys


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_the_refusal_of_an_old_node_proves_the_revocation(
    alice: User, settings: Any, generation: str
) -> None:
    with Sandbox(generation=generation) as old:
        settings.ESTUARY_API_URL = urlsplit(old.url)
        connect(alice, old.add_key(old.add_user("alice")))
        page = words_of(signed_in(alice).post(URL, {"revoke": "on"}, follow=True))
        assert not old.state.keys

    assert "This console is disconnected from it." in page
    assert not StoredToken.objects.exists()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_key_that_another_tab_has_taken_away_meanwhile_is_not_called_disconnected(
    browser: Client,
    alice: User,
    node: Sandbox,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    is_replaced: bool,
) -> None:
    def taken_away(actor: Actor, stored: StoredToken) -> bool:
        if is_replaced:
            connect(alice, node.add_key(account))
        else:
            disconnect_token(actor, stored)
        return disconnect_token(actor, stored)

    monkeypatch.setattr(views, "disconnect_token", taken_away)

    words = words_of(browser.post(URL, follow=True))

    assert "The key was disconnected or replaced meanwhile. Nothing was done." in words
    assert "still valid at Estuary" not in words
    assert StoredToken.objects.exists() == is_replaced
