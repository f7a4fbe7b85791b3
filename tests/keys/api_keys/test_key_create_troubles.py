"""Creating a key exactly once, whatever fails on the way to Estuary and back."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.api_keys import conclusions, create
from keys.models import KeyCreation
from keys.sandbox import Fault, Sandbox
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in
from tests.keys.api_keys.test_key_create import URL, form_of, token_in
from tests.keys.evidence import asked, audited, labels_at, words_of


def posts(node: Sandbox) -> int:
    return sum(request.method == "POST" for request in node.requests)


def outcome() -> str:
    return KeyCreation.objects.get().outcome


def test_a_second_submit_makes_no_second_key(browser: Client, node: Sandbox) -> None:
    filled = form_of(browser)
    token = token_in(browser.post(URL, filled))

    again = browser.post(URL, filled)

    assert "This key was created already" in words_of(again)
    assert "revoke the key and create another" in words_of(again)
    assert token not in again.content.decode()
    assert f"/keys/{hash_of(token)}/revoke/" in again.content.decode()
    assert posts(node) == 1
    assert labels_at(node) == ["backup", "console"]


def test_a_second_submit_does_not_ask_estuary(browser: Client, node: Sandbox) -> None:
    filled = form_of(browser)
    browser.post(URL, filled)
    node.forget_requests()

    browser.post(URL, filled)

    assert node.requests == []


def test_a_fresh_form_makes_another_key_of_the_same_label(browser: Client, node: Sandbox) -> None:
    browser.post(URL, form_of(browser))
    browser.post(URL, form_of(browser))

    assert labels_at(node) == ["backup", "backup", "console"]


@pytest.mark.parametrize("spoil", ["", "x", "tampered:nonce:signature"])
def test_a_tampered_nonce_creates_no_key_and_keeps_the_input(
    browser: Client, node: Sandbox, spoil: str
) -> None:
    filled = form_of(browser, label="my label", lifetime="90d", permission="all", nonce=spoil)

    response = browser.post(URL, filled)

    page = response.content.decode()
    assert "This form was too old, so no key was created." in words_of(response)
    assert 'value="my label"' in page
    assert re.search(r'value="90d"[^>]*checked', page)
    assert re.search(r'value="all"[^>]*checked', page)
    assert node.requests == []
    assert not KeyCreation.objects.exists()


def test_the_form_that_comes_back_works(browser: Client, node: Sandbox) -> None:
    back = browser.post(URL, form_of(browser, nonce="x")).content.decode()
    nonce = back.split('name="nonce" value="')[1].split('"')[0]

    response = browser.post(URL, form_of(browser) | {"nonce": nonce})

    assert token_in(response)


def test_another_members_form_is_refused(browser: Client, carol: User, node: Sandbox) -> None:
    connect(carol, node.add_key(node.add_user("carol")))
    filled = form_of(signed_in(carol))
    node.forget_requests()

    response = browser.post(URL, filled)

    assert "This form was too old" in words_of(response)
    assert node.requests == []


@pytest.mark.parametrize("fault", ["reset-after", "500-after", "truncated", "truncated-json"])
def test_a_key_whose_answer_was_lost_is_found_in_the_list(
    browser: Client, node: Sandbox, fault: str
) -> None:
    node.set_fault("create", Fault(fault))

    response = browser.post(URL, form_of(browser))

    assert "The key was created, but its token was lost" in words_of(response)
    assert "Revoke it and create another." in words_of(response)
    [lost] = [key for key in node.state.keys.values() if key.label == "backup"]
    assert f"/keys/{lost.token_hash}/revoke/" in response.content.decode()
    assert lost.token not in response.content.decode()
    assert "may have carried it out" not in words_of(response)
    assert outcome() == "lost"
    assert audited()[-1] == ("key:created", "failed")
    assert posts(node) == 1


@pytest.mark.parametrize("fault", ["reset-before", "500", "502-html", "never", "html"])
def test_a_key_that_the_list_does_not_show_was_not_created(
    browser: Client, node: Sandbox, settings: Any, fault: str
) -> None:
    settings.ESTUARY_TIMEOUT = 1 if fault == "never" else 10
    node.set_fault("create", Fault(fault))

    response = browser.post(URL, form_of(browser))

    assert "The key was not created" in words_of(response)
    assert "shows no new key" in words_of(response)
    assert outcome() == "not-created"
    assert labels_at(node) == ["console"]
    assert asked(node)[-1] == "GET /user/api-keys"
    assert posts(node) == 1


def test_without_a_list_afterwards_the_outcome_is_unknown(browser: Client, node: Sandbox) -> None:
    filled = form_of(browser)
    node.set_fault("create", Fault("reset-after"))
    node.state.on_change = lambda *_: node.set_fault("list", Fault("500"))

    response = browser.post(URL, filled)

    assert "We do not know whether the key was created" in words_of(response)
    assert outcome() == "unknown"
    assert audited()[-1] == ("key:created", "unknown")


def test_a_list_with_unreadable_rows_proves_nothing(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.state.keys[node.add_key(node.state.users["alice"])].row = b'{"tokenHash":"x"}'
    node.set_fault("create", Fault("500"))

    response = browser.post(URL, form_of(browser))

    assert "We do not know whether the key was created" in words_of(response)
    assert outcome() == "unknown"


def test_two_new_keys_with_the_label_cannot_be_told_apart(browser: Client, node: Sandbox) -> None:
    def add_a_twin(_kind: str, key: Any) -> None:
        other = "EST22222222-2222-4222-8222-222222222222ARY"
        key.user.keys[other] = replace(key, token=other, row=b"")

    filled = form_of(browser)
    node.set_fault("create", Fault("reset-after"))
    node.state.on_change = add_a_twin

    response = browser.post(URL, filled)

    assert "The key was created, but its token was lost" in words_of(response)
    assert "/revoke/" not in response.content.decode()
    assert KeyCreation.objects.get().token_hash == ""


def test_a_busy_node_creates_no_key_and_the_form_keeps_the_input(
    browser: Client, node: Sandbox
) -> None:
    node.set_fault("create", Fault("429"))

    response = browser.post(URL, form_of(browser, label="my label"))

    assert "No key was created. Estuary is busy" in words_of(response)
    assert 'value="my label"' in response.content.decode()
    assert outcome() == "not-created"
    assert labels_at(node) == ["console"]


@pytest.mark.parametrize("fault", ["500", "429", "never", "401-unknown", "null"])
def test_without_a_list_beforehand_no_key_is_requested(
    browser: Client, node: Sandbox, settings: Any, fault: str
) -> None:
    settings.ESTUARY_TIMEOUT = 0.5 if fault == "never" else 10
    node.set_fault("list", Fault(fault))

    response = browser.post(URL, form_of(browser, label="my label"))

    assert "No key was created." in words_of(response)
    assert 'value="my label"' in response.content.decode()
    assert posts(node) == 0
    assert not KeyCreation.objects.exists()


def test_after_a_failure_the_same_form_can_be_sent_again(browser: Client, node: Sandbox) -> None:
    node.set_fault("create", Fault("429", times=1))
    back = browser.post(URL, form_of(browser)).content.decode()
    nonce = back.split('name="nonce" value="')[1].split('"')[0]

    assert token_in(browser.post(URL, form_of(browser) | {"nonce": nonce}))


def test_htmx_gets_the_outcome_as_a_part(browser: Client, node: Sandbox) -> None:
    node.set_fault("create", Fault("reset-after"))

    response = browser.post(URL, form_of(browser), headers=HTMX)

    assert response.content.decode().lstrip().startswith('<section id="key-create-outcome"')


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_old_nodes_without_labels_are_reconciled_too(
    alice: User, settings: Any, generation: str
) -> None:
    with Sandbox(generation=generation) as old:
        settings.ESTUARY_API_URL = urlsplit(old.url)
        connect(alice, old.add_key(old.add_user("alice")))
        old.set_fault("create", Fault("reset-after"))
        client = signed_in(alice)
        response = client.post(URL, form_of(client))

    assert "The key was created, but its token was lost" in words_of(response)
    assert outcome() == "lost"


def test_a_token_that_cannot_be_unsealed_creates_no_key(
    browser: Client, node: Sandbox, settings: Any
) -> None:
    filled = form_of(browser)
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    response = browser.post(URL, filled)

    assert response.status_code == 500
    assert "Your connected key cannot be read" in words_of(response)
    assert node.requests == []


def test_a_second_submit_does_not_wait_for_ever_when_the_clock_is_set_back(
    browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = form_of(browser)
    browser.post(URL, filled)
    KeyCreation.objects.update(outcome="requested", token_hash="")
    monkeypatch.setattr(KeyCreation, "is_overdue", lambda *_: False)
    seconds = iter([0.0, 1000.0])
    clock = SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda _: None)
    monkeypatch.setattr(create, "time", clock)

    response = browser.post(URL, filled)

    assert "We do not know whether the key was created" in words_of(response)
    assert outcome() == "requested"


def test_a_conclusion_that_is_written_again_is_recorded_and_told_once(
    browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database may commit and then break the connection, so that the write is tried again."""

    def twice(write: Any, _name: str) -> None:
        write()
        write()

    monkeypatch.setattr(conclusions, "write_surely", twice)

    browser.post(URL, form_of(browser))

    assert audited().count(("key:created", "done")) == 1
    assert outcome() == "created"
