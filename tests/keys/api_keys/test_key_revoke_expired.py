"""Revoking all expired keys: a change to many keys like any other, at an address of its own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.api_keys import bulk
from keys.models import AuditEntry, BulkChange
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.keys.conftest import PAST
from tests.keys.evidence import asked, audited, labels_at, words_of

URL = "/keys/revoke-expired/"


def deletes(node: Sandbox) -> list[str]:
    return [request.path for request in node.requests if request.method == "DELETE"]


def answer(client: Client) -> str:
    """The words of the page that the button leads to."""
    return words_of(client.post(URL, follow=True))


def test_the_page_names_the_keys_first(browser: Client, node: Sandbox, expired: list[str]) -> None:
    page = words_of(browser.get(URL))

    assert "3 expired keys will be revoked" in page
    assert "ended-0" in page
    assert "works" not in page.replace("Expired keys work nowhere", "")
    assert "session" not in page
    assert deletes(node) == []
    assert not BulkChange.objects.exists()  # a GET writes nothing


def test_expired_keys_are_revoked_and_each_has_its_outcome(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    browser.get(URL)
    node.forget_requests()

    page = answer(browser)

    assert "3 of 3 keys revoked" in page
    assert page.count("Revoked") == 3
    assert "10 seconds" not in page  # an expired key works nowhere any more
    assert labels_at(node) == ["console", "session", "works"]
    assert sorted(deletes(node)) == sorted(f"/user/api-keys/{hash_of(token)}" for token in expired)
    assert asked(node).count("GET /user/api-keys") == 2  # before and after, whatever their number
    rows = AuditEntry.objects.filter(action="key:revoked", outcome="done")
    assert {row.token_hash for row in rows} == {hash_of(token) for token in expired}


def test_without_expired_keys_there_is_nothing_to_do(browser: Client, node: Sandbox) -> None:
    assert "You have no expired keys." in words_of(browser.get(URL))

    browser.post(URL)

    assert deletes(node) == []
    assert labels_at(node) == ["console"]


def test_without_expired_keys_nothing_is_recorded_or_sent(browser: Client, node: Sandbox) -> None:
    browser.get(URL)
    node.forget_requests()
    before = audited()

    page = answer(browser)

    assert "You have no expired keys." in page
    assert (audited(), asked(node)) == (before, [])


def test_a_second_submit_revokes_nothing_more(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    browser.post(URL)
    node.forget_requests()

    browser.post(URL)

    assert deletes(node) == []


def test_a_key_that_was_revoked_meanwhile_is_reported_as_gone(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    browser.get(URL)
    node.remove_key(expired[1])

    page = answer(browser)

    assert "2 of 3 keys revoked" in page
    assert page.count("Was gone already") == 1


def test_the_consoles_own_key_is_never_among_them(
    browser: Client, node: Sandbox, token: str, expired: list[str]
) -> None:
    """It works, so if its expiry has passed then our clock runs ahead."""
    node.state.keys[token].row = (
        b'{"token":"","tokenHash":"%s","label":"console","expiry":"2020-01-01T00:00:00Z",'
        b'"isSession":false}' % hash_of(token).encode()
    )

    assert "3 expired keys will be revoked" in words_of(browser.get(URL))
    assert "3 of 3 keys revoked" in answer(browser)
    assert token in node.state.keys


def test_the_failed_ones_can_be_tried_again(
    browser: Client, node: Sandbox, expired: list[str]
) -> None:
    node.set_fault("revoke", Fault("silent-ok"))
    response = browser.post(URL, follow=True)
    [(there, _)] = response.redirect_chain
    assert "Try the failed keys again" in words_of(response)
    node.clear_faults()

    page = words_of(browser.post(f"{there}retry/", follow=True))

    assert "3 of 3 keys revoked" in page
    assert labels_at(node) == ["console", "session", "works"]


def test_a_second_press_leads_to_the_change_that_is_under_way(
    browser: Client, node: Sandbox, alice: User, expired: list[str]
) -> None:
    browser.get(URL)
    running = BulkChange.objects.create(
        member=alice, action="revoke", is_expired_only=True, started_at=timezone.now()
    )
    other = User.objects.create_user("bob")
    BulkChange.objects.create(
        member=other, action="revoke", is_expired_only=True, started_at=timezone.now()
    )

    for ask in (browser.get, browser.post):
        assert ask(URL)["Location"] == f"/keys/bulk/{running.pk}/"
    assert deletes(node) == []


def test_old_keys_that_the_page_does_not_name_warn_too(
    browser: Client, node: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_NAMES_SHOWN", 1)
    node.add_key(account, label="new", lifetime=PAST)
    node.add_key(account, era="legacy", lifetime=PAST)

    page = words_of(browser.get(URL))

    assert "and 1 more" in page
    assert "1 of them is an old key" in page
    assert "its token will be written to the node" in page


def test_old_keys_warn_that_their_tokens_will_be_logged(
    browser: Client, node: Sandbox, account: Account
) -> None:
    old = node.add_key(account, era="legacy", lifetime=PAST)

    response = browser.get(URL)

    assert "access log" in words_of(response)
    assert old not in response.content.decode()


def test_a_long_list_of_names_is_cut(browser: Client, node: Sandbox, account: Account) -> None:
    for number in range(60):
        node.add_key(account, label=f"ended-{number}", lifetime=PAST)

    assert "and 10 more" in words_of(browser.get(URL))
