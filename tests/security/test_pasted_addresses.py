"""A token pasted into an address is neither sent back nor logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from keys.upstream import hash_of
from tests.conftest import HTMX
from tests.security.spellings import assert_holds_none
from tests.security.witness import LogWitness, WatchedClient, watched_logs

TOKEN = "EST6f2a1c9e-1234-4567-89ab-0123456789abARY"
ADDRESSES = [
    f"/keys/?q={TOKEN}",
    f"/keys/?q=Bearer%20{TOKEN}&status=all",
    f"/keys?q={TOKEN}",
    f"/keys?status=all&q=%22Bearer+{TOKEN}%22",
    f"/keys/{TOKEN}/",
    f"/keys/{TOKEN}",
    f"/keys/?new={TOKEN}",
    f"/stats/?{TOKEN}",
    f"/nowhere/{TOKEN}",
    f"/{TOKEN}/?q={TOKEN}",
]


@pytest.fixture
def logs() -> Iterator[LogWitness]:
    with watched_logs() as witness:
        yield witness


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_signed_out_visitor_is_not_sent_the_token_back(
    logs: LogWitness, address: str, headers: dict[str, str]
) -> None:
    shown: list[tuple[str, str]] = []

    WatchedClient(shown).get(address, headers=headers, follow=True)

    for where, text in [*shown, ("log", "\n".join(logs.lines))]:
        assert_holds_none(text, [TOKEN], where)
    assert logs.lines


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_member_is_not_sent_the_token_back(
    browser: Client, logs: LogWitness, address: str, headers: dict[str, str]
) -> None:
    shown: list[tuple[str, str]] = []
    watched = WatchedClient(shown)
    watched.cookies = browser.cookies

    watched.get(address, headers=headers, follow=True)

    for where, text in [*shown, ("log", "\n".join(logs.lines))]:
        assert_holds_none(text, [TOKEN], where)
    assert logs.lines


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        (f"/keys?q={TOKEN}&sort=expiry", f"/keys/?q={hash_of(TOKEN)}&sort=expiry"),
        ("/keys?q=ESTIMATES-2026-SUMMARY%26more", "/keys/?q=ESTIMATES-2026-SUMMARY%26more"),
    ],
)
def test_the_redirect_to_a_slash_has_the_hash(browser: Client, address: str, leads_to: str) -> None:
    assert browser.get(address)["Location"] == leads_to


@pytest.mark.django_db
def test_a_form_without_csrf_token_is_logged_without_the_address(logs: LogWitness) -> None:
    shown: list[tuple[str, str]] = []
    strict = WatchedClient(shown, enforce_csrf_checks=True)

    response: Any = strict.post(f"/accounts/login/?next=/keys/{TOKEN}/", {"login": TOKEN})

    assert response.status_code == 403
    for where, text in [*shown, ("log", "\n".join(logs.lines))]:
        assert_holds_none(text, [TOKEN], where)
    assert any("django.security.csrf" in line for line in logs.lines)
