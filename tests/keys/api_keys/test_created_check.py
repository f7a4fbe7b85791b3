"""A node that answers 200 may have made nothing: the list is read before the page says more."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from keys.api_keys import create
from keys.models import KeyCreation
from keys.sandbox import Fault, Sandbox
from tests.keys.api_keys.test_key_create import URL, form_of, token_in
from tests.keys.evidence import audited, words_of

WORKS = "Estuary lists this key: it works."
NOT_LISTED = "Estuary answered with this token, but does not list the key yet."
NOT_CHECKED = "We could not check that Estuary lists this key."


def test_a_listed_key_is_said_to_work(browser: Client) -> None:
    response = browser.post(URL, form_of(browser))

    assert token_in(response)
    assert WORKS in words_of(response)
    assert audited()[-1] == ("key:created", "done")


def test_a_key_that_was_not_made_is_never_said_to_work(browser: Client, node: Sandbox) -> None:
    node.set_fault("create", Fault("silent-ok"))
    filled = form_of(browser)

    response = browser.post(URL, filled)

    assert token_in(response)  # it may appear yet
    assert NOT_LISTED in words_of(response)
    assert WORKS not in words_of(response)
    assert KeyCreation.objects.get().outcome == "unlisted"
    assert audited()[-1] == ("key:created", "unknown")
    again = words_of(browser.post(URL, filled))
    assert "Estuary did not list this key" in again
    assert "This key was created already" not in again


def list_fails_afterwards(node: Sandbox, fault: Fault) -> None:
    node.state.on_change = lambda *_: node.set_fault("list", fault)


@pytest.mark.parametrize("kind", ["500", "429", "reset-before", "null"])
def test_without_a_list_the_token_is_shown_and_nothing_is_claimed(
    browser: Client, node: Sandbox, kind: str
) -> None:
    filled = form_of(browser)
    list_fails_afterwards(node, Fault(kind))

    response = browser.post(URL, filled)

    assert token_in(response)
    assert NOT_CHECKED in words_of(response)
    assert WORKS not in words_of(response)
    assert KeyCreation.objects.get().outcome == "created"


def test_a_list_that_hangs_does_not_keep_the_token_back(
    browser: Client, node: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ESTUARY_TIMEOUT = 60
    monkeypatch.setattr(create, "CHECK_SECONDS", 0.3)
    filled = form_of(browser)
    list_fails_afterwards(node, Fault("delay", seconds=30))
    began = time.monotonic()

    response = browser.post(URL, filled)

    assert token_in(response)
    assert NOT_CHECKED in words_of(response)
    assert time.monotonic() - began < 20


def test_a_row_that_cannot_be_read_may_be_the_new_key(
    browser: Client, node: Sandbox, token: str
) -> None:
    filled = form_of(browser)

    def spoil(_kind: str, key: Any) -> None:
        key.row = json.dumps({"tokenHash": "x"}).encode()

    node.state.on_change = spoil

    response = browser.post(URL, filled)

    assert token_in(response)
    assert NOT_CHECKED in words_of(response)
