"""Filters for keys that the policy, a missing purpose or their origin makes worth a look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.api_keys import table
from keys.models import KeyCreation
from keys.notes.services import NoteText, save_note
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.keys.evidence import listed, words_of


@pytest.fixture
def several(alice: User, node: Sandbox, account: Account) -> None:
    """A key that was made here, one with a purpose, and one that lives too long."""
    made, noted = node.add_key(account, "made"), node.add_key(account, "noted")
    node.add_key(account, "long", timedelta(days=400))
    node.add_key(account, "ended", timedelta(days=-1))
    KeyCreation.objects.create(nonce="n", member=alice, token_hash=hash_of(made))
    save_note(Actor(alice, "", ""), hash_of(noted), NoteText(purpose="Nightly copies"))


@pytest.mark.usefixtures("several")
def test_the_line_counts_what_is_worth_a_look(browser: Client, settings: Any) -> None:
    settings.POLICY = {**settings.POLICY, "POLICY_LONGEST_LIFETIME": "90d"}

    page = words_of(browser.get("/keys/"))

    assert "1 over policy 3 no purpose 3 not made here" in page
    assert listed(browser, "?status=over-policy") == ["long"]
    assert sorted(listed(browser, "?status=no-purpose")) == ["console", "long", "made"]
    assert sorted(listed(browser, "?status=not-made-here")) == ["console", "long", "noted"]


@pytest.mark.usefixtures("several")
def test_the_counts_follow_the_search(browser: Client) -> None:
    assert "1 key 1 later 1 not made here" in words_of(browser.get("/keys/?q=noted"))


def test_a_long_list_names_the_filters_without_counting(
    browser: Client, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_KEYS_EXAMINED", 3)

    page = words_of(browser.get("/keys/"))

    assert "no purpose not made here" in page
    assert "3 no purpose" not in page
    assert "over policy" not in page, "there is no policy"
    assert sorted(listed(browser, "?status=no-purpose")) == ["console", "long", "made"]


def test_hundreds_of_keys_are_examined_with_two_queries(
    browser: Client, node: Sandbox, account: Account, django_assert_max_num_queries: Any
) -> None:
    for number in range(130):
        node.add_key(account, f"key {number}")
    browser.get("/keys/")

    with django_assert_max_num_queries(9):
        page = words_of(browser.get("/keys/?page=2"))

    assert "131 no purpose" in page
