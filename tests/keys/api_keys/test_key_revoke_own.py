"""Revoking the key that the console itself uses: a second confirmation, then the connect page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.upstream import EstuaryClient, hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.api_keys.test_key_revoke import url_of
from tests.keys.evidence import audited, words_of


def test_the_page_explains_the_consequence(browser: Client, token: str) -> None:
    page = words_of(browser.get(url_of(token)))

    assert "This console works with this key." in page
    assert "I understand that this disconnects the console from Estuary" in page


def test_another_key_needs_no_second_confirmation(browser: Client, node: Sandbox) -> None:
    other = node.add_key(node.state.users["alice"])

    assert "I understand" not in words_of(browser.get(url_of(other)))


def test_without_the_second_confirmation_nothing_is_revoked(
    browser: Client, node: Sandbox, token: str
) -> None:
    response = browser.post(url_of(token))

    assert "Tick this to revoke the key that this console itself uses." in words_of(response)
    assert token in node.state.keys
    assert StoredToken.objects.exists()


def test_htmx_needs_the_second_confirmation_too(browser: Client, token: str) -> None:
    response = browser.post(url_of(token), headers=HTMX)

    assert response.status_code == 200
    assert "Tick this" in words_of(response)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_with_the_confirmation_the_key_is_revoked_and_disconnected(
    browser: Client, node: Sandbox, token: str, headers: dict[str, str]
) -> None:
    response = browser.post(url_of(token), {"confirm_own": "on"}, headers=headers)

    assert response.get("Location", response.get("HX-Redirect")) == "/account/token/"
    page = words_of(browser.get("/account/token/"))
    assert "Revoked" in page
    assert "This console is disconnected from it." in page
    assert token not in node.state.keys
    assert not StoredToken.objects.exists()
    assert audited()[-2:] == [("key:revoked", "done"), ("token:disconnected", "done")]


def test_while_estuary_lists_it_the_console_stays_connected(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("revoke", Fault("silent-ok"))

    response = browser.post(url_of(token), {"confirm_own": "on"}, follow=True)

    assert response.redirect_chain == [("/keys/", 302)]
    assert "is not revoked" in words_of(response)
    assert StoredToken.objects.exists()


def test_a_refused_list_afterwards_proves_the_revocation(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.state.on_change = lambda *_: node.set_fault("list", Fault("401-unknown"))

    browser.post(url_of(token), {"confirm_own": "on"})

    assert not StoredToken.objects.exists()
    assert audited()[-2:] == [("key:revoked", "done"), ("token:disconnected", "done")]


def test_a_lost_answer_and_a_refused_list_prove_nothing(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("revoke", Fault("reset-after"))
    node.state.on_change = lambda *_: node.set_fault("list", Fault("500"))

    response = browser.post(url_of(token), {"confirm_own": "on"})

    assert response["Location"] == "/keys/"
    assert StoredToken.objects.exists()
    assert audited()[-1] == ("key:revoked", "unknown")


def test_a_token_connected_meanwhile_in_another_tab_stays_connected(
    browser: Client, alice: User, node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = node.add_key(node.state.users["alice"])
    revoke = EstuaryClient.revoke_key

    def connected_then(client: EstuaryClient, token_hash: str, *rest: Any) -> bool:
        connect(User.objects.get(pk=alice.pk), other)
        return revoke(client, token_hash, *rest)

    monkeypatch.setattr(EstuaryClient, "revoke_key", connected_then)

    page = words_of(browser.post(url_of(token), {"confirm_own": "on"}, follow=True))

    assert "Revoked" in page
    assert "This console is disconnected" not in page
    assert StoredToken.objects.get().token_hash == hash_of(other)
    assert ("token:disconnected", "done") not in audited()


def test_a_key_that_is_gone_already_disconnects_too(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.remove_key(token)  # it works for ten seconds more, but is not listed

    response = browser.post(url_of(token), {"confirm_own": "on"})

    assert response["Location"] == "/account/token/"
    assert not StoredToken.objects.exists()


def test_a_get_for_a_gone_key_disconnects_nothing(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.remove_key(token)

    page = words_of(browser.get(url_of(token), follow=True))

    assert "was already gone" in page
    assert "disconnected" not in page
    assert StoredToken.objects.exists()


@pytest.mark.parametrize("generation", ["current", "legacy", "vintage"])
def test_every_generation_of_nodes(alice: User, settings: Any, generation: str) -> None:
    with Sandbox(generation=generation) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        own = node.add_key(node.add_user("alice"))
        connect(alice, own)
        response = signed_in(alice).post(url_of(own), {"confirm_own": "on"})
        assert own not in node.state.keys

    assert response["Location"] == "/account/token/"
    assert not StoredToken.objects.exists()
