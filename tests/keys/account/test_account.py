"""The account page: the health of the connected token, and preferences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin import VERSION
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, Preferences
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.evidence import words_of

URL = "/account/"


def test_a_working_token_is_reported_as_working(browser: Client, token: str) -> None:
    response = browser.get(URL)

    page = words_of(response)
    assert "Signed in as alice." in page
    assert "Estuary lists it, and it works." in page
    assert f"Fingerprint {hash_of(token)[:8]}" in page
    assert "Label console" in page
    assert "in 30 days" in page
    assert token not in response.content.decode()


def test_an_admin_is_named_as_one(carol: User, node: Sandbox) -> None:
    assert "Signed in as carol, admin." in words_of(signed_in(carol).get(URL))


def test_a_member_who_is_not_connected_is_invited_to_connect(alice: User, node: Sandbox) -> None:
    page = words_of(signed_in(alice).get(URL))

    assert "No key is connected. Connect one" in page
    assert node.requests == []


def test_a_token_that_ends_soon_warns(alice: User, node: Sandbox, account: Account) -> None:
    connect(alice, node.add_key(account, lifetime=timedelta(days=3)))

    assert "It expires soon: connect another key before then." in words_of(
        signed_in(alice).get(URL)
    )


def test_a_token_that_estuary_no_longer_lists_is_told(
    browser: Client, node: Sandbox, account: Account, token: str
) -> None:
    node.add_key(account)
    node.state.keys[token].row = (
        b'{"token":"","tokenHash":"%s","label":"","expiry":"2030-01-01T00:00:00Z",'
        b'"isSession":false}' % (b"x" * 43)
    )

    assert "Estuary no longer lists this key: it was revoked." in words_of(browser.get(URL))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401-unknown", "Estuary does not know this key"),
        ("401-expired", "This key has expired"),
        ("500", "Estuary failed while working on this"),
    ],
)
def test_trouble_is_shown_on_the_page(
    browser: Client, node: Sandbox, fault: str, sentence: str
) -> None:
    node.set_fault("list", Fault(fault))

    response = browser.get(URL)

    assert response.status_code == 200
    assert sentence in words_of(response)
    assert "Preferences" in words_of(response)


def test_the_last_known_state_shows_while_estuary_is_down(browser: Client, node: Sandbox) -> None:
    browser.get(URL)
    node.stop()

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=True):
        page = words_of(browser.get(URL))

    assert "Estuary could not be reached" in page
    assert "Label console" in page


def test_a_token_that_cannot_be_unsealed_is_reported(browser: Client, settings: Any) -> None:
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    response = browser.get(URL)

    assert response.status_code == 200
    assert "cannot be opened with this server's sealing keys" in words_of(response)


def test_preferences_are_kept_and_apply_at_once(browser: Client, alice: User) -> None:
    data = {"theme": "dark", "time_zone": "Asia/Tokyo"}

    response = browser.post(URL, data, follow=True)

    kept = Preferences.objects.get(member=alice)
    assert (kept.theme, kept.time_zone) == ("dark", "Asia/Tokyo")
    assert str(kept) == f"preferences of member {alice.pk}"
    assert "Preferences saved." in words_of(response)
    assert 'data-theme="dark"' in response.content.decode()
    assert "Times are now shown in Asia/Tokyo." in words_of(response)
    assert "JST" in response.content.decode()


def test_preferences_can_be_changed_again(browser: Client, alice: User) -> None:
    browser.post(URL, {"theme": "dark", "time_zone": "Asia/Tokyo"})
    browser.post(URL, {"theme": "light", "time_zone": ""})

    kept = Preferences.objects.get(member=alice)
    assert (kept.theme, kept.time_zone) == ("light", "")


def test_the_audit_names_what_was_changed_and_nothing_else(browser: Client) -> None:
    browser.post(URL, {"theme": "dark", "time_zone": "Asia/Tokyo", "shortcuts": "on"})
    browser.post(URL, {"theme": "dark", "time_zone": "Asia/Tokyo", "shortcuts": "on"})

    [entry] = AuditEntry.objects.filter(action=Action.PREFERENCES_CHANGED)
    assert (entry.actor_name, entry.detail) == ("alice", {"changed": "theme, time_zone"})


def test_the_chosen_zone_is_selected_in_the_form(browser: Client) -> None:
    browser.post(URL, {"theme": "dark", "time_zone": "Asia/Tokyo"})

    page = browser.get(URL).content.decode()
    assert page.count(" selected>") == 1
    assert '<option value="Asia/Tokyo" selected>Asia/Tokyo</option>' in page


def test_without_a_choice_the_first_option_is_selected(browser: Client) -> None:
    assert '<option value="" selected>As my browser says</option>' in (
        browser.get(URL).content.decode()
    )


def test_wrong_preferences_change_nothing(browser: Client) -> None:
    response = browser.post(URL, {"theme": "pink", "time_zone": "Mars/Olympus"})

    assert "Select a valid choice" in words_of(response)
    assert "Choose a time zone from the list." in words_of(response)
    assert not Preferences.objects.exists()


def test_the_browsers_zone_is_used_until_another_is_chosen(browser: Client) -> None:
    browser.cookies["timezone"] = "America%2FNew_York"
    page = words_of(browser.get(URL))
    assert "Times are now shown in America/New_York." in page
    assert "Detected: America/New_York" in page

    browser.post(URL, {"theme": "system", "time_zone": "Europe/Berlin"})

    assert "Times are now shown in Europe/Berlin." in words_of(browser.get(URL))


@pytest.mark.parametrize("zone", ["Mars%2FOlympus", "..%2F..%2Fetc%2Fpasswd", "", "%00"])
def test_an_unknown_zone_of_the_browser_is_ignored(browser: Client, zone: str) -> None:
    browser.cookies["timezone"] = zone

    assert "Times are now shown in UTC." in words_of(browser.get(URL))


def test_preferences_take_no_query_on_later_pages(
    alice: User, node: Sandbox, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(alice)
    client.get("/account/token/")

    with django_assert_max_num_queries(4):  # session, member, role, and the page's own look
        client.get("/account/token/")


def test_members_keep_their_own_preferences(browser: Client, carol: User) -> None:
    signed_in(carol).post(URL, {"theme": "dark", "time_zone": ""})

    assert 'data-theme="system"' in browser.get(URL).content.decode()


def test_the_version_stands_at_its_foot(browser: Client) -> None:
    assert f"Estuary Admin {VERSION}" in browser.get("/account/").content.decode()
