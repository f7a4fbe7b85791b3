"""Revoking one key: confirmed first, sent once, reported as the list proves it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client

from keys.audit.vocabulary import Action
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, audited, labels_at, last_row, words_of

LIST = "GET /user/api-keys"


def url_of(token: str) -> str:
    return f"/keys/{hash_of(token)}/revoke/"


def test_the_page_asks_for_confirmation(browser: Client, node: Sandbox, backup: str) -> None:
    response = browser.get(url_of(backup))

    assert "backup" in words_of(response)
    assert "This cannot be undone." in words_of(response)
    assert "about 10 seconds" in words_of(response)
    assert asked(node) == [LIST]


def test_htmx_gets_the_confirmation_for_its_dialog(browser: Client, backup: str) -> None:
    response = browser.get(url_of(backup), headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="key-revoke"')


def test_a_key_is_revoked_when_the_list_no_longer_has_it(
    browser: Client, node: Sandbox, backup: str
) -> None:
    browser.get(url_of(backup))
    node.forget_requests()

    response = browser.post(url_of(backup), follow=True)

    assert response.redirect_chain == [("/keys/", 302)]
    assert "Revoked “backup”. It may go on working for about 10 seconds" in words_of(response)
    assert labels_at(node) == ["console"]
    assert asked(node)[:3] == [LIST, f"DELETE /user/api-keys/{hash_of(backup)}", LIST]
    assert audited()[-1] == ("key:revoked", "done")
    assert last_row(Action.KEY_REVOKED).detail == {"result": "revoked"}


def test_a_key_that_was_never_shown_is_revoked_with_as_few_calls(
    browser: Client, node: Sandbox, backup: str
) -> None:
    browser.post(url_of(backup))

    assert asked(node) == [LIST, f"DELETE /user/api-keys/{hash_of(backup)}", LIST]
    assert last_row(Action.KEY_REVOKE_REQUESTED).token_hash == hash_of(backup)


def test_a_key_without_label_is_named_by_its_fingerprint(
    browser: Client, node: Sandbox, account: Account
) -> None:
    token = node.add_key(account)

    page = words_of(browser.post(url_of(token), follow=True))

    assert f"Revoked Key {hash_of(token)[:8]}." in page


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("back\u202eup\u2069\nx", "“back up x”"),
        ("b" * 10_000, f"“{'b' * 59}…”"),
        ("\u202e\n", "Key "),
    ],
)
def test_a_hostile_label_does_not_change_the_sentence(
    browser: Client, node: Sandbox, account: Account, label: str, shown: str
) -> None:
    token = node.add_key(account, label=label)
    browser.get(url_of(token))

    response = browser.post(url_of(token))

    [told] = [str(message) for message in get_messages(response.wsgi_request)]
    assert told.startswith(f"Revoked {shown}")
    assert len(told) < 250


def test_revoking_again_reports_that_the_key_is_gone(
    browser: Client, node: Sandbox, backup: str
) -> None:
    browser.post(url_of(backup))
    node.forget_requests()

    page = words_of(browser.post(url_of(backup), follow=True))

    assert f"Key {hash_of(backup)[:8]} is not in your list at Estuary" in page
    assert not any(request.method == "DELETE" for request in node.requests)
    row = last_row(Action.KEY_REVOKED)
    assert (row.token_hash, row.detail) == (
        "",
        {"result": "gone", "asked_for": hash_of(backup)[:8]},
    )


def test_a_key_that_had_expired_is_not_said_to_go_on_working(
    browser: Client, node: Sandbox, account: Account
) -> None:
    ended = node.add_key(account, label="ended", lifetime=timedelta(days=-1))
    browser.get("/keys/")

    page = words_of(browser.post(url_of(ended), follow=True))

    assert "Revoked “ended”." in page
    assert "go on working" not in page


def test_the_confirmation_reports_that_the_key_is_gone(browser: Client, node: Sandbox) -> None:
    response = browser.get(f"/keys/{'x' * 43}/revoke/", follow=True)

    assert "Key xxxxxxxx is not in your list at Estuary" in words_of(response)
    assert audited()[-1][0] != "key:revoked"


def test_the_audit_has_the_request_before_the_outcome(browser: Client, backup: str) -> None:
    browser.post(url_of(backup))

    assert audited()[-2:] == [("key:revoke-requested", "started"), ("key:revoked", "done")]


def test_htmx_is_redirected_to_the_list(browser: Client, backup: str) -> None:
    response = browser.post(url_of(backup), headers=HTMX)

    assert response["HX-Redirect"] == "/keys/"


@pytest.mark.parametrize(
    ("seen", "led_to"),
    [
        (
            "http://testserver/keys/?q=a&status=active&page=2&new=x",
            "/keys/?q=a&status=active&page=2",
        ),
        ("http://testserver/stats/?q=a", "/keys/"),
        ("https://elsewhere.example/keys/?q=a", "/keys/"),
    ],
)
def test_the_list_stays_filtered_behind_the_dialog(
    browser: Client, backup: str, seen: str, led_to: str
) -> None:
    response = browser.post(url_of(backup), headers={**HTMX, "HX-Current-URL": seen})

    assert response["HX-Redirect"] == led_to


def test_the_key_of_another_account_is_not_revoked(
    browser: Client, carol: User, node: Sandbox
) -> None:
    theirs = node.add_key(node.add_user("carol"), label="of carol")
    connect(carol, theirs)

    page = words_of(browser.post(url_of(theirs), follow=True))

    assert "it was already gone, or it is not yours. Nothing was done." in page
    assert "of carol" not in page
    assert theirs in node.state.keys


def test_an_old_key_warns_that_its_token_will_be_logged(
    browser: Client, node: Sandbox, account: Account
) -> None:
    old = node.add_key(account, era="legacy")

    asked_first = browser.get(url_of(old))
    assert "Its token will be written to the node" in words_of(asked_first)
    assert old not in asked_first.content.decode()

    page = browser.post(url_of(old), follow=True)
    assert "Revoked Key" in words_of(page)
    assert old not in node.state.keys
    assert old not in page.content.decode()


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_old_nodes_revoke_by_the_token(alice: User, settings: Any, generation: str) -> None:
    with Sandbox(generation=generation) as old:
        settings.ESTUARY_API_URL = urlsplit(old.url)
        account = old.add_user("alice")
        connect(alice, old.add_key(account))
        backup = old.add_key(account)
        page = words_of(signed_in(alice).post(url_of(backup), follow=True))
        assert backup not in old.state.keys

    assert "Revoked Key" in page
