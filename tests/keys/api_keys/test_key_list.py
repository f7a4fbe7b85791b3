"""The list of keys: its rows, its calls to Estuary, and what it must not show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from keys.models import KeyCreation
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, words_of


def row_of(response: Any, label: str) -> str:
    """The words of one row of the table."""
    rows = response.content.decode().split("<tr ")
    [row] = [row for row in rows if f"<bdi>{label}</bdi></a>" in row]
    response.content = row.encode()
    return words_of(response).removeprefix(">")


def test_a_row_says_label_fingerprint_expiry_and_status(
    browser: Client, node: Sandbox, account: Account
) -> None:
    token = node.add_key(account, label="backup", lifetime=timedelta(days=45, hours=1))

    row = row_of(browser.get("/keys/"), "backup")

    assert hash_of(token)[:8] in row
    assert "Unknown in 45 days Active" in row


def test_the_exact_expiry_is_in_the_title(browser: Client, node: Sandbox, account: Account) -> None:
    node.add_key(account, label="backup")

    assert 'title="' in browser.get("/keys/").content.decode()
    assert " UTC" in browser.get("/keys/").content.decode()


@pytest.mark.parametrize(
    ("lifetime", "expires", "status"),
    [
        (timedelta(days=-2, hours=-1), "2 days ago", "Expired"),
        (timedelta(days=6, hours=1), "in 6 days", "Expiring"),
        (timedelta(days=8, hours=1), "in 8 days", "Active"),
        (None, "Never", "Permanent"),
    ],
)
def test_each_status_has_its_word(
    browser: Client,
    node: Sandbox,
    account: Account,
    lifetime: timedelta | None,
    expires: str,
    status: str,
) -> None:
    node.add_key(account, label="backup", lifetime=lifetime)

    assert f"{expires} {status}" in row_of(browser.get("/keys/"), "backup")


def test_the_consoles_own_key_is_marked(browser: Client) -> None:
    assert "Used by this console" in row_of(browser.get("/keys/"), "console")


def test_the_permission_shows_where_we_recorded_it(
    browser: Client, alice: User, node: Sandbox, account: Account
) -> None:
    token = node.add_key(account, label="backup", permission="upload")
    KeyCreation.objects.create(
        nonce="n", member=alice, label="backup", permission="upload", token_hash=hash_of(token)
    )

    response = browser.get("/keys/")

    assert "Upload only" in row_of(response, "backup")


def test_legacy_keys_are_marked_with_what_to_do(
    browser: Client, node: Sandbox, account: Account
) -> None:
    clear = node.add_key(account, label="old", era="transitional")

    response = browser.get("/keys/")

    assert clear not in response.content.decode()
    assert "Estuary stores 1 of your keys in clear" in words_of(response)
    assert "Rotate it: create a new key" in words_of(response)
    assert "Stored in clear" in row_of(response, "old")


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_old_nodes_are_listed_without_their_tokens(
    alice: User, settings: Any, generation: str
) -> None:
    with Sandbox(generation=generation) as old:
        settings.ESTUARY_API_URL = urlsplit(old.url)
        account = old.add_user("alice")
        tokens = [old.add_key(account) for _ in range(3)]
        connect(alice, tokens[0])
        page = signed_in(alice).get("/keys/").content.decode()

    assert all(hash_of(token)[:8] in page for token in tokens)
    assert not any(token in page for token in tokens)


def test_a_label_is_shown_as_text(browser: Client, node: Sandbox, account: Account) -> None:
    node.add_key(account, label="<script>alert(1)</script>")

    page = browser.get("/keys/").content.decode()

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_empty_list_offers_to_create_the_first_key(
    alice: User, node: Sandbox, account: Account
) -> None:
    own = node.add_key(account)
    connect(alice, own)
    client = signed_in(alice)
    node.remove_key(own)  # works for ten seconds more, but is not listed

    page = words_of(client.get("/keys/"))

    assert "No keys yet" in page
    assert "Create your first key" in page


def test_a_list_of_session_keys_alone_counts_as_empty(
    alice: User, node: Sandbox, account: Account
) -> None:
    connect(alice, node.add_key(account, is_session=True))
    client = signed_in(alice)

    assert "No keys yet" in words_of(client.get("/keys/"))
    assert "Nothing found" in words_of(client.get("/keys/?status=active"))


def test_a_row_that_cannot_be_trusted_is_counted(
    browser: Client, node: Sandbox, account: Account
) -> None:
    node.state.keys[node.add_key(account)].row = b'{"token":"","tokenHash":"x","label":""}'

    page = words_of(browser.get("/keys/"))

    assert "1 key could not be read from" in page


def test_a_list_without_readable_rows_is_not_called_empty(
    alice: User, node: Sandbox, account: Account
) -> None:
    connect(alice, node.add_key(account, is_session=True))
    node.state.keys[node.add_key(account)].row = b'{"token":"","tokenHash":"x","label":""}'

    page = words_of(signed_in(alice).get("/keys/"))

    assert "we do not know whether you have any" in page
    assert "No keys yet" not in page


def test_htmx_gets_the_list_alone(browser: Client) -> None:
    response = browser.get("/keys/", headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="key-list"')
    assert "HX-Request" in response["Vary"]


def test_a_boosted_link_gets_the_page(browser: Client) -> None:
    response = browser.get("/keys/", headers={**HTMX, "HX-Boosted": "true"})

    assert "<!doctype html>" in response.content.decode()


def test_the_page_asks_estuary_once(browser: Client, node: Sandbox, token: str) -> None:
    browser.get("/keys/")

    assert asked(node) == ["GET /user/api-keys"]
    assert node.requests[0].headers["authorization"] == f"Bearer {token}"


def test_members_never_see_each_others_keys(browser: Client, carol: User, node: Sandbox) -> None:
    account = node.add_user("carol")
    connect(carol, node.add_key(account, label="of carol"))
    signed_in(carol).get("/keys/")

    assert "of carol" not in words_of(browser.get("/keys/"))
    assert "of carol" not in words_of(browser.get("/keys/?q=carol"))


def test_sixty_keys_take_no_more_queries_than_ten(
    browser: Client, node: Sandbox, account: Account, django_assert_num_queries: Any
) -> None:
    counts = []
    for more in (9, 50):
        for _ in range(more):
            node.add_key(account)
        browser.get("/keys/")
        with CaptureQueriesContext(connection) as queries:
            browser.get("/keys/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_last_known_list_shows_while_estuary_is_down(browser: Client, node: Sandbox) -> None:
    browser.get("/keys/")
    node.stop()

    response = browser.get("/keys/")

    assert response.status_code == 200
    assert "Estuary could not be reached" in words_of(response)
    assert "Nothing can be changed until it answers." in words_of(response)
    assert "Used by this console" in words_of(response)
    assert "/revoke/" not in response.content.decode()
    assert "/keys/new/" not in response.content.decode()


@pytest.mark.parametrize("fault", ["500", "html", "truncated-json", "null", "object", "404"])
def test_without_a_known_list_the_page_offers_to_try_again(
    browser: Client, node: Sandbox, fault: str
) -> None:
    node.set_fault("list", Fault(fault))

    response = browser.get("/keys/?status=active")

    assert response.status_code == 502
    assert 'href="/keys/?status=active">Try again' in response.content.decode()


@pytest.mark.parametrize("fault", ["401-unknown", "401-expired", "403-upload"])
def test_a_refused_token_offers_to_connect_another(
    browser: Client, node: Sandbox, fault: str
) -> None:
    browser.get("/keys/")
    node.set_fault("list", Fault(fault))

    response = browser.get("/keys/")

    assert "Estuary refuses your key" in words_of(response)
    assert "Connect" in words_of(response)
    assert "Used by this console" not in words_of(response)
