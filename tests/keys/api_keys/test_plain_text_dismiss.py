"""Dismissing the count of keys in plain text."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import connect, signed_in
from tests.keys.evidence import words_of

DISMISS = "/keys/plain-text/dismiss/"


def counted(browser: Client, query: str = "") -> bool:
    return "in plain text" in words_of(browser.get(f"/keys/{query}")).split("Show them")[-1]


def test_a_dismissed_count_is_gone_for_this_member_only(
    browser: Client, carol: User, node: Sandbox, account: Account
) -> None:
    node.add_key(account, label="old", era="transitional")
    connect(carol, node.add_key(account, label="of carol"))
    assert counted(browser)
    assert f'action="{DISMISS}"' in browser.get("/keys/").content.decode()

    answer = browser.post(DISMISS, HTTP_REFERER="http://testserver/keys/?sort=label")

    assert answer["Location"] == "/keys/?sort=label"
    said = words_of(browser.get("/keys/"))
    assert "Dismissed until there is a further key in plain text. Show them" in said
    assert not counted(browser)
    assert DISMISS not in browser.get("/keys/").content.decode()
    assert "old" in words_of(browser.get("/keys/?status=legacy"))
    assert counted(signed_in(carol))


def test_the_count_comes_back_with_a_further_key(
    browser: Client, node: Sandbox, account: Account
) -> None:
    first = node.add_key(account, label="old", era="transitional")
    browser.get("/keys/")
    browser.post(DISMISS)
    browser.get("/keys/")
    del account.keys[first]
    node.add_key(account, label="older", era="legacy")

    assert counted(browser, "?fresh=1")


def test_a_count_can_be_dismissed_while_no_list_is_kept(
    browser: Client, node: Sandbox, account: Account
) -> None:
    node.add_key(account, label="old", era="transitional")

    browser.post(DISMISS)

    assert not counted(browser)


def test_fewer_keys_stay_dismissed(browser: Client, node: Sandbox, account: Account) -> None:
    first, _ = (node.add_key(account, label=name, era="legacy") for name in ("one", "two"))
    browser.get("/keys/")
    browser.post(DISMISS)
    browser.get("/keys/")
    del account.keys[first]

    assert not counted(browser, "?fresh=1")
