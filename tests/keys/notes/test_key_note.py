"""The note of a key: written on its page, in place or without scripts, and kept from strangers."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.models import AuditEntry, KeyNote
from keys.notes.services import NoteText, save_note
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX, connect, signed_in

TEXT = {
    "display_name": "Nightly backup",
    "purpose": "Copies of the wiki",
    "system": "ci-7",
    "contact": "ops@example.com",
    "note": "First line\nSecond line",
}


@pytest.fixture
def url(backup: str) -> str:
    return f"/keys/{hash_of(backup)}/note/"


def words(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def test_a_note_is_saved_and_shown_on_the_page_of_its_key(browser: Client, url: str) -> None:
    response = browser.post(url, TEXT, follow=True)

    assert response.redirect_chain == [(url.removesuffix("note/"), 302)]
    page = words(response)
    for text in TEXT.values():
        assert " ".join(text.split()) in page
    assert "Note saved." in page
    assert "Last changed by alice" in page


def test_a_note_that_a_hand_over_made_longer_can_be_saved_again(
    browser: Client, url: str, backup: str, alice: User
) -> None:
    long = "line\n" * 999 + "!"
    save_note(Actor(alice, "", ""), hash_of(backup), NoteText(**TEXT | {"note": long}))

    page = browser.get(url).content.decode()
    browser.post(url, TEXT | {"system": "ci-8", "note": long})

    assert long in page
    assert 'maxlength="4996"' in page
    assert KeyNote.objects.get().system == "ci-8"
    answer = words(browser.post(url, TEXT | {"note": long + "y"}))
    assert "at most 4996 characters" in answer
    browser.post(url, TEXT)
    assert 'maxlength="2000"' in browser.get(url).content.decode()


def test_a_note_is_edited_in_place(browser: Client, url: str) -> None:
    browser.post(url, TEXT)

    form = browser.get(url, headers=HTMX).content.decode()
    saved = browser.post(url, TEXT | {"system": "ci-8"}, headers=HTMX).content.decode()

    assert form.strip().startswith('<section id="key-note"')
    assert 'value="ci-7"' in form
    assert 'data-hx-target="#key-note"' in form
    assert saved.strip().startswith('<section id="key-note"')
    assert "ci-8" in saved
    assert "<form" not in saved


def test_the_page_of_a_key_without_note_offers_to_add_one(browser: Client, url: str) -> None:
    page = browser.get(url.removesuffix("note/")).content.decode()

    assert "This key has no note yet." in page
    assert f'href="{url}"' in page


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("name", list(TEXT))
def test_a_token_is_refused_in_every_field_and_not_sent_back(
    browser: Client, url: str, token: str, name: str, headers: dict[str, str]
) -> None:
    response = browser.post(url, TEXT | {name: f"use {token} here"}, headers=headers)

    assert "looks like the token of a key" in words(response)
    assert token not in response.content.decode()
    assert not KeyNote.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("purpose", "x" * 501), ("display_name", "a\x1bb"), ("system", "a\u2028b"), ("note", "a\x08")],
)
def test_text_that_breaks_lists_or_is_too_long_is_told_beside_its_field(
    browser: Client, url: str, name: str, value: str
) -> None:
    response = browser.post(url, TEXT | {name: value})

    assert response.context["form"].errors.keys() == {name}
    assert not KeyNote.objects.exists()


def test_line_breaks_are_kept_in_the_free_text(browser: Client, url: str) -> None:
    browser.post(url, TEXT | {"note": "one\r\ntwo"})

    assert KeyNote.objects.get().note == "one\ntwo"


def test_a_line_break_counts_as_one_character(browser: Client, url: str) -> None:
    longest = "x\r\n" * 999 + "yz"

    browser.post(url, TEXT | {"note": longest})

    assert KeyNote.objects.get().note == longest.replace("\r\n", "\n")
    assert browser.post(url, TEXT | {"note": f"{longest}!"}).context["form"].errors.keys() == {
        "note"
    }


def test_the_audit_says_which_fields_changed_and_not_what_they_say(
    browser: Client, url: str, backup: str
) -> None:
    browser.post(url, TEXT)
    browser.post(url, TEXT | {"contact": "dev@example.com"})
    browser.post(url, TEXT | {"contact": "dev@example.com"})  # nothing new

    first, second = AuditEntry.objects.filter(action="key:noted").order_by("pk")
    assert first.detail == {"fields": "display_name, purpose, system, contact, note"}
    assert second.detail == {"fields": "contact"}
    assert (second.token_hash, second.actor_name) == (hash_of(backup), "alice")
    assert "example.com" not in str(first.detail) + str(second.detail)


def test_an_emptied_note_is_gone(browser: Client, url: str) -> None:
    browser.post(url, TEXT)
    browser.post(url, dict.fromkeys(TEXT, ""))

    assert not KeyNote.objects.exists()


def test_a_required_purpose_cannot_be_taken_out(browser: Client, url: str, settings: Any) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_PURPOSE_REQUIRED": "true"}

    response = browser.post(url, TEXT | {"purpose": ""})

    assert "a purpose is required here" in words(response)


def test_the_note_stays_when_another_token_is_connected(
    browser: Client, url: str, alice: User, node: Sandbox, account: Account
) -> None:
    browser.post(url, TEXT)

    connect(alice, node.add_key(account, label="another"))

    assert "Copies of the wiki" in words(browser.get(url.removesuffix("note/")))


def test_who_shares_the_account_shares_the_note(
    browser: Client, url: str, carol: User, node: Sandbox, account: Account
) -> None:
    browser.post(url, TEXT)
    connect(carol, node.add_key(account, label="of carol"))

    assert "Copies of the wiki" in words(signed_in(carol).get(url.removesuffix("note/")))


@pytest.fixture
def bob(node: Sandbox) -> Client:
    """A member with another account."""
    member = User.objects.create_user("bob", password="x")
    connect(member, node.add_key(node.add_user("bob"), label="console"))
    return signed_in(member)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_member_of_another_account_neither_reads_nor_writes(
    browser: Client, url: str, bob: Client, method: str
) -> None:
    browser.post(url, TEXT)

    response = getattr(bob, method)(url, TEXT | {"purpose": "mine"})

    assert response.status_code == 404
    assert "Copies of the wiki" not in response.content.decode()
    assert KeyNote.objects.get().purpose == "Copies of the wiki"


def test_the_note_of_an_ended_key_stays_readable_for_who_wrote_it_and_admins_alone(
    browser: Client, url: str, bob: Client, carol: User, node: Sandbox, backup: str, alice: User
) -> None:
    browser.post(url, TEXT)
    revoke = url.replace("note", "revoke")
    browser.post(revoke)
    bob.post(revoke)  # leaves a row of his own about a key that he never had
    admin = signed_in(carol)
    connect(carol, node.add_key(node.add_user("carol"), label="console"))

    for client in (browser, admin):
        assert "Copies of the wiki" in words(client.get("/audit/"))
        page = words(client.get(url))
        assert "does not list this key any more" in page
        assert "Copies of the wiki" in page
        assert client.post(url, TEXT).status_code == 404
    assert "Copies of the wiki" not in words(bob.get("/audit/"))
    assert bob.get(url).status_code == 404


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_who_is_signed_out_is_led_to_sign_in(url: str, headers: dict[str, str], db: None) -> None:
    response = Client().get(url, headers=headers)

    where = response.get("HX-Redirect") or response.get("Location")
    assert "/accounts/login/" in str(where)


def test_other_methods_and_posts_without_csrf_are_refused(
    browser: Client, alice: User, url: str
) -> None:
    strict = signed_in(alice, enforce_csrf_checks=True)

    assert browser.put(url).status_code == 405
    assert strict.post(url, TEXT).status_code == 403


def test_while_estuary_is_away_the_note_can_be_written_all_the_same(
    browser: Client, url: str, node: Sandbox
) -> None:
    browser.get("/keys/")
    node.set_fault("list", Fault("502-html"))

    browser.post(url, TEXT)

    assert KeyNote.objects.get().purpose == "Copies of the wiki"


@pytest.mark.parametrize("field", list(TEXT))
@pytest.mark.parametrize("text", ["\u2800", "\u3164\u200b", "\U000e0041"])
def test_a_note_of_nothing_visible_is_refused(
    browser: Client, url: str, field: str, text: str
) -> None:
    response = browser.post(url, {**TEXT, field: text})

    assert "This has no visible character" in words(response)
    assert not KeyNote.objects.exists()
