"""The list of keys: its rows, its calls to Estuary, and what it must not show."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from keys.models import KeyCreation, Rotation
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, checked, listed, words_of


def row_of(response: Any, label: str) -> str:
    """The words of one row of the table."""
    rows = response.content.decode().split("<tr ")
    [row] = [row for row in rows if f"<bdi>{label}</bdi></a>" in row]
    response.content = row.encode()
    return words_of(response).removeprefix(">")


def test_a_row_says_label_fingerprint_and_end(
    browser: Client, node: Sandbox, account: Account
) -> None:
    token = node.add_key(account, label="backup", lifetime=timedelta(days=45, hours=1))

    row = row_of(browser.get("/keys/"), "backup")

    end = (datetime.now(UTC) + timedelta(days=45, hours=1)).astimezone(UTC)
    assert f"backup {hash_of(token)[:8]} {end.day} {end:%b} {end.year} in 45 days Rotate" in row


def test_the_exact_expiry_is_in_the_title(browser: Client, node: Sandbox, account: Account) -> None:
    node.add_key(account, label="backup")

    assert 'title="' in browser.get("/keys/").content.decode()
    assert " UTC" in browser.get("/keys/").content.decode()


@pytest.mark.parametrize(
    ("lifetime", "ends", "group"),
    [
        (timedelta(days=-2, hours=-1), "2 days ago", "Ended · 1"),
        (timedelta(days=6, hours=1), "in 6 days", "Ends within 7 days · 1"),
        (timedelta(days=8, hours=1), "in 8 days", "Later · 2"),
        (None, "No expiry", "No expiry · 1"),
    ],
)
def test_a_key_is_in_the_group_of_its_end(
    browser: Client,
    node: Sandbox,
    account: Account,
    lifetime: timedelta | None,
    ends: str,
    group: str,
) -> None:
    node.add_key(account, label="backup", lifetime=lifetime)

    page = browser.get("/keys/")

    assert f"{ends} R" in row_of(page, "backup")
    assert group in words_of(browser.get("/keys/"))


def test_groups_are_in_the_order_in_which_they_need_attention(
    browser: Client, node: Sandbox, account: Account
) -> None:
    ends = {"ended": -1, "next": 2, "long ended": -9, "later": 40, "soon": 6}
    for label, days in ends.items():
        node.add_key(account, label, timedelta(days=days))
    node.add_key(account, "endless", None)

    page = browser.get("/keys/").content.decode()

    assert re.findall('id="group-([a-z]+)"', page) == ["expiring", "active", "permanent", "expired"]
    assert listed(browser) == [
        "next", "soon", "console", "later", "endless", "ended", "long ended",
    ]  # fmt: skip


def test_a_group_that_continues_on_the_next_page_has_its_head_again(
    browser: Client, node: Sandbox, account: Account
) -> None:
    for number in range(60):
        node.add_key(account, f"key {number:03}", timedelta(days=60))

    for page in ("1", "2"):
        assert "Later · 61" in words_of(browser.get(f"/keys/?page={page}"))


@pytest.mark.parametrize("query", ["?sort=label", "?sort=-expiry&status=active"])
def test_a_sorted_list_has_no_groups(browser: Client, query: str) -> None:
    assert "Later ·" not in words_of(browser.get(f"/keys/{query}"))


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


def test_keys_in_plain_text_are_marked_and_counted(
    browser: Client, node: Sandbox, account: Account
) -> None:
    clear = node.add_key(account, label="old", era="transitional")

    response = browser.get("/keys/")
    chosen = browser.get("/keys/?status=legacy")

    assert clear not in response.content.decode()
    assert "1 in plain text" in words_of(response)
    assert "Plain text" in row_of(response, "old")
    assert "Estuary stores these keys in plain text" in words_of(chosen)
    assert "Rotate them: Estuary keeps only the hash of a new key" in words_of(chosen)


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

    response = checked(browser, "/keys/")

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

    response = checked(browser, "/keys/")

    assert "Estuary refuses your key" in words_of(response)
    assert "Connect" in words_of(response)
    assert "Used by this console" not in words_of(response)


def test_a_key_that_works_can_be_rotated_from_its_row(
    browser: Client, node: Sandbox, account: Account
) -> None:
    token, ended = node.add_key(account, "backup"), node.add_key(account, "x", timedelta(days=-1))

    page = browser.get("/keys/").content.decode()

    assert f'href="/keys/{hash_of(token)}/rotate/"' in page
    assert f"/keys/{hash_of(ended)}/rotate/" not in page
    assert f'href="/keys/{hash_of(ended)}/revoke/"' in page


def test_the_row_says_which_key_replaces_it(
    browser: Client, alice: User, node: Sandbox, account: Account
) -> None:
    old, new = node.add_key(account, "old"), node.add_key(account, "new")
    now = datetime.now(UTC)
    creation = KeyCreation.objects.create(nonce="n", member=alice, token_hash=hash_of(new))
    Rotation.objects.create(
        member=alice,
        creation=creation,
        old_hash=hash_of(old),
        old_expiry=now + timedelta(days=30),
        ends_at=now + timedelta(hours=23, minutes=10),
        latest_end=now + timedelta(days=30),
        due_at=now + timedelta(hours=23),
        state=Rotation.State.OVERLAP,
    )

    page = browser.get("/keys/")

    assert f"Replaces {hash_of(old)[:8]}" in words_of(page)
    assert f"Replaced by {hash_of(new)[:8]}, ends in 23 hours" in row_of(page, "old")
