"""Notes in the list of keys: shown in the row, found by the search, at the cost of one query."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.models import KeyNote
from keys.notes.services import NoteText, hashes_matching, lines_of, save_note
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of


@pytest.fixture
def noted(alice: User, backup: str) -> str:
    text = NoteText("Nightly", "Copies of the Café wiki", "ci-7", "ops@example.com", "Secret door")
    save_note(Actor(alice, "", ""), hash_of(backup), text)
    return hash_of(backup)


def labels(page: str) -> list[str]:
    return re.findall(r'class="key-label"[^>]*><bdi>([^<]*)', page)


def test_a_note_shows_in_the_row_of_its_key_alone(browser: Client, noted: str) -> None:
    page = browser.get("/keys/").content.decode()

    assert re.findall(r'class="key-note"><bdi>([^<]*)', page) == [
        "Nightly · Copies of the Café wiki · ci-7 · ops@example.com"
    ]
    assert sorted(labels(page)) == ["backup", "console"]


def test_markup_in_a_note_is_text(browser: Client, alice: User, backup: str) -> None:
    save_note(Actor(alice, "", ""), hash_of(backup), NoteText(purpose='<b>{"x"}</b>{note}'))

    page = browser.get("/keys/").content.decode()

    assert "<b>" not in page
    assert "&lt;b&gt;{&quot;x&quot;}&lt;/b&gt;{note}" in page


@pytest.mark.parametrize(
    "text", ["nightly", "cafe\u0301 WIKI", "CI-7", "ops@", "secret", "backup", "100%"]
)
def test_the_search_finds_every_field(
    browser: Client, noted: str, alice: User, backup: str, text: str
) -> None:
    if text == "100%":
        save_note(Actor(alice, "", ""), noted, NoteText(note="at 100% load"))

    assert labels(browser.get("/keys/", {"q": text}).content.decode()) == ["backup"]


@pytest.mark.parametrize("text", ["%", "_ightly", "day\\"])
def test_signs_of_sql_have_no_meaning_in_a_search(browser: Client, noted: str, text: str) -> None:
    assert labels(browser.get("/keys/", {"q": text}).content.decode()) == []


def test_the_search_shows_no_keys_of_other_accounts(
    browser: Client, node: Sandbox, alice: User
) -> None:
    theirs = hash_of(node.add_key(node.add_user("bob"), label="of bob"))
    save_note(Actor(alice, "", ""), theirs, NoteText(purpose="nightly"))

    page = browser.get("/keys/", {"q": "nightly"}).content.decode()

    assert labels(page) == []
    assert theirs[:8] not in page


def queries(browser: Client, url: str, assert_max: Any) -> int:
    browser.get(url)  # what is prepared once
    with assert_max(50) as seen:
        browser.get(url)
    return sum("keynote" in one["sql"] for one in seen.captured_queries)


def test_a_page_of_rows_costs_one_query_and_a_search_one_more(
    browser: Client,
    alice: User,
    node: Sandbox,
    account: Account,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(30):
        token = node.add_key(account, label=f"key {number}")
        save_note(Actor(alice, "", ""), hash_of(token), NoteText(purpose=f"nightly {number}"))

    assert queries(browser, "/keys/", django_assert_max_num_queries) == 1
    assert queries(browser, "/keys/?q=nightly", django_assert_max_num_queries) == 2


def test_without_keys_or_text_nothing_is_asked() -> None:
    # pytest-django refuses the database here
    assert (lines_of([]), hashes_matching("")) == ({}, frozenset())


@pytest.mark.django_db
def test_a_note_lasts_longer_than_the_member(alice: User) -> None:
    save_note(Actor(alice, "", ""), "h" * 43, NoteText(purpose="x"))

    alice.delete()

    assert KeyNote.objects.get().changed_by == "alice"
