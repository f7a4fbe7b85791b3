"""The page of one key: Estuary's facts, our record, and the audit."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from keys.models import KeyCreation
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, checked, words_of


def url_of(token: str) -> str:
    return f"/keys/{hash_of(token)}/"


def test_the_page_says_what_estuary_says(browser: Client, node: Sandbox, account: Account) -> None:
    token = node.add_key(account, label="backup", lifetime=timedelta(days=45, hours=1))

    page = words_of(browser.get(url_of(token)))

    assert "backup" in page
    assert "in 45 days" in page
    assert hash_of(token) in page
    assert "Estuary does not report what a key may do" in page
    assert "not created in this console, so its permission is not known here" in page
    assert token not in page


def test_the_page_says_what_we_recorded(
    browser: Client, alice: User, node: Sandbox, account: Account
) -> None:
    token = node.add_key(account, label="backup")
    KeyCreation.objects.create(
        nonce="n",
        member=alice,
        member_name="alice",
        label="backup",
        permission="upload",
        lifetime=timedelta(hours=36),
        token_hash=hash_of(token),
    )

    page = words_of(browser.get(url_of(token)))

    assert "By alice" in page
    assert "Permission Upload only" in page
    assert "Lifetime 1 day 12 hours" in page


def test_the_audit_rows_of_this_key_show(browser: Client, token: str) -> None:
    page = words_of(browser.get(url_of(token)))

    assert "alice Token connected Done 192.0.2.1" in page
    assert "Used by this console" in page


def test_a_legacy_key_has_advice(browser: Client, node: Sandbox, account: Account) -> None:
    token = node.add_key(account, era="legacy")

    response = browser.get(url_of(token))

    assert "Rotate it: Estuary keeps only the hash of a new key" in words_of(response)
    assert token not in response.content.decode()


def test_a_session_key_is_named_as_one(browser: Client, node: Sandbox, account: Account) -> None:
    token = node.add_key(account, is_session=True)

    assert "made by Estuary at a sign-in" in words_of(browser.get(url_of(token)))


@pytest.mark.parametrize("days", [-1, 3, 90, None])
def test_each_status_has_an_icon_that_exists(
    browser: Client, node: Sandbox, account: Account, days: int | None
) -> None:
    lifetime = None if days is None else timedelta(days=days)
    token = node.add_key(account, label="backup", lifetime=lifetime)

    page = browser.get(url_of(token)).content.decode()

    used = re.findall(r'<use href="#([\w-]+)"', page)
    assert {name for name in used if f'<symbol id="{name}"' not in page} == set()


def test_a_recent_list_is_reused(browser: Client, node: Sandbox, token: str) -> None:
    browser.get("/keys/")
    browser.get(url_of(token))

    assert asked(node) == ["GET /user/api-keys"]


def test_a_key_that_is_not_listed_is_not_found(browser: Client) -> None:
    response = browser.get(f"/keys/{'x' * 43}/")

    assert response.status_code == 404
    assert "it may have been revoked" in words_of(response)


def test_the_key_of_another_account_is_not_found(
    browser: Client, carol: User, node: Sandbox
) -> None:
    theirs = node.add_key(node.add_user("carol"), label="of carol")
    connect(carol, theirs)
    signed_in(carol).get(url_of(theirs))

    response = browser.get(url_of(theirs))

    assert response.status_code == 404
    assert "of carol" not in words_of(response)


def test_a_member_without_the_key_leaves_no_row_on_its_page(
    browser: Client, carol: User, node: Sandbox, account: Account
) -> None:
    url = url_of(node.add_key(account, label="backup"))
    connect(carol, node.add_key(node.add_user("carol")))

    signed_in(carol).post(f"{url}revoke/")

    page = words_of(browser.get(url))
    assert "backup" in page
    assert "carol" not in page


def test_htmx_gets_the_whole_page(browser: Client, token: str) -> None:
    response = browser.get(url_of(token), headers=HTMX)

    assert response.status_code == 200
    assert hash_of(token) in words_of(response)


def test_a_kept_list_is_marked_and_offers_no_change(
    browser: Client, node: Sandbox, token: str
) -> None:
    browser.get("/keys/")
    node.set_fault("list", Fault("500"))

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5), tick=False):
        response = checked(browser, url_of(token))

    assert "You see what Estuary last told us, 5 minutes ago" in words_of(response)
    assert "/revoke/" not in response.content.decode()


def test_without_any_list_the_page_offers_to_try_again(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("list", Fault("500"))

    response = browser.get(url_of(token))

    assert response.status_code == 502
    assert f'href="{url_of(token)}">Try again' in response.content.decode()
