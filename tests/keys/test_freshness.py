"""Pages that are shown at once from what is kept, and the check that follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.contents import Content, Holdings
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX
from tests.keys.evidence import asked, check_url_of, checked, words_of

LIST, STATS = "GET /user/api-keys", "GET /user/stats"
LATER = timedelta(minutes=3)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.now(UTC), tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def paths(token: str) -> dict[str, str]:
    return {"list": "/keys/", "key": f"/keys/{hash_of(token)}/", "stats": "/stats/"}


@pytest.mark.parametrize("page", ["list", "key", "stats"])
def test_a_later_visit_does_not_wait_for_estuary(
    browser: Client,
    node: Sandbox,
    paths: dict[str, str],
    clock: time_machine.Traveller,
    page: str,
) -> None:
    browser.get(paths[page])
    node.forget_requests()
    node.set_fault("any", Fault("never"))
    clock.shift(LATER)

    response = browser.get(paths[page])

    assert response.status_code == 200
    assert "read 3 minutes ago · checking…" in words_of(response)
    assert asked(node) == []
    assert check_url_of(response)


@pytest.mark.parametrize("page", ["list", "key", "stats"])
def test_a_check_that_finds_the_same_brings_the_time_alone(
    browser: Client,
    node: Sandbox,
    paths: dict[str, str],
    clock: time_machine.Traveller,
    page: str,
) -> None:
    browser.get(paths[page])
    clock.shift(LATER)
    check_url = check_url_of(browser.get(paths[page]))
    node.forget_requests()

    response = browser.get(check_url, headers=HTMX)

    assert asked(node) == [STATS if page == "stats" else LIST]
    assert words_of(response) == "Refresh · read just now"
    assert response.content.decode().lstrip().startswith('<span id="freshness"')
    assert "HX-Retarget" not in response
    assert check_url_of(response) == ""


def test_a_check_that_finds_another_list_brings_the_page(
    browser: Client, node: Sandbox, account: Account, clock: time_machine.Traveller
) -> None:
    browser.get("/keys/")
    clock.shift(LATER)
    check_url = check_url_of(browser.get("/keys/?sort=expiry"))
    node.add_key(account, label="made elsewhere")

    response = browser.get(check_url, headers=HTMX)

    assert "made elsewhere" in words_of(response)
    assert "<!doctype html>" in response.content.decode()
    assert response["HX-Retarget"] == response["HX-Reselect"] == "#main"
    assert response["HX-Reswap"] == "patch"
    assert check_url_of(response) == ""


def test_a_check_that_finds_other_figures_brings_the_page(
    browser: Client, node: Sandbox, account: Account
) -> None:
    browser.get("/stats/")
    account.holdings = Holdings.of([Content(1000)])

    response = checked(browser, "/stats/")

    assert "1,000 bytes" in words_of(response)


@pytest.mark.parametrize("page", ["list", "key", "stats"])
def test_a_check_while_estuary_is_away_brings_todays_notice(
    browser: Client,
    node: Sandbox,
    paths: dict[str, str],
    clock: time_machine.Traveller,
    page: str,
) -> None:
    browser.get(paths[page])
    node.stop()
    clock.shift(LATER)

    response = checked(browser, paths[page])

    assert 'role="alert"' in response.content.decode()
    can_change = page != "stats"
    assert ("Nothing can be changed until it answers." in words_of(response)) is can_change
    assert "checking" not in words_of(response)
    assert "/revoke/" not in response.content.decode()
    assert '"/keys/new/"' not in response.content.decode()


def test_a_key_that_was_revoked_elsewhere_leads_to_not_found(
    browser: Client, node: Sandbox, account: Account, clock: time_machine.Traveller
) -> None:
    token = node.add_key(account, label="backup")
    path = f"/keys/{hash_of(token)}/"
    browser.get(path)
    node.remove_key(token)
    clock.shift(LATER)
    page = browser.get(path)

    response = browser.get(check_url_of(page), headers=HTMX)

    assert page.status_code == 200
    assert response["HX-Redirect"] == path
    assert browser.get(path).status_code == 404


@pytest.mark.parametrize("page", ["list", "key", "stats"])
def test_without_scripts_what_is_older_than_15_seconds_is_fetched_first(
    browser: Client, paths: dict[str, str], clock: time_machine.Traveller, page: str
) -> None:
    browser.get(paths[page])
    reload = f'<noscript><meta http-equiv="refresh" content="0;url={paths[page]}?fresh=1">'

    clock.shift(15)
    assert "<noscript>" not in browser.get(paths[page]).content.decode()
    clock.shift(1)
    assert reload in browser.get(paths[page]).content.decode()
    fresh = browser.get(f"{paths[page]}?fresh=1")

    assert "<noscript>" not in fresh.content.decode()
    assert "read just now" in words_of(fresh)


def test_without_scripts_a_notice_is_not_lost_by_fetching_again(
    browser: Client, token: str, clock: time_machine.Traveller
) -> None:
    browser.get("/keys/")
    clock.shift(LATER)
    browser.post("/account/", {"theme": "dark", "time_zone": "UTC", "shortcuts": "on"})

    page = browser.get("/keys/")

    assert 'class="notice success"' in page.content.decode()
    assert "<noscript>" not in page.content.decode()
    assert "Refresh" in words_of(page)


def test_a_list_is_never_older_than_a_change_made_here(
    browser: Client, node: Sandbox, account: Account
) -> None:
    doomed = node.add_key(account, label="doomed")
    browser.get("/keys/")
    browser.post(f"/keys/{hash_of(doomed)}/revoke/")
    browser.get("/keys/")  # the notice names the key

    assert "doomed" not in words_of(browser.get("/keys/"))


def test_a_kept_list_says_nothing_about_a_new_key_that_it_lacks(
    browser: Client, node: Sandbox, token: str, clock: time_machine.Traveller
) -> None:
    browser.get("/keys/")
    clock.shift(LATER)

    assert "does not list the new key" not in words_of(browser.get(f"/keys/?new={'x' * 43}"))


def test_revoking_from_a_kept_list_asks_for_a_fresh_one_first(
    browser: Client, node: Sandbox, account: Account, clock: time_machine.Traveller
) -> None:
    doomed = node.add_key(account, label="doomed")
    browser.get("/keys/")
    node.remove_key(doomed)  # revoked elsewhere
    clock.shift(LATER)
    assert "doomed" in words_of(browser.get("/keys/"))
    node.forget_requests()

    page = browser.post(f"/keys/{hash_of(doomed)}/revoke/", follow=True)

    assert asked(node)[0] == LIST
    assert not any(request.startswith("DELETE") for request in asked(node))
    assert "“doomed” was already gone" in words_of(page)


def test_revoking_all_expired_keys_asks_for_a_fresh_list_first(
    browser: Client, node: Sandbox, account: Account, clock: time_machine.Traveller
) -> None:
    past = node.add_key(account, label="past", lifetime=timedelta(days=-1))
    browser.get("/keys/")
    node.remove_key(past)
    clock.shift(LATER)
    browser.get("/keys/")
    node.forget_requests()

    browser.post("/keys/revoke-expired/")

    assert asked(node) == [LIST]


def test_a_search_is_answered_from_the_kept_list(
    browser: Client, node: Sandbox, clock: time_machine.Traveller
) -> None:
    browser.get("/keys/")
    node.forget_requests()
    clock.shift(LATER)

    part = browser.get("/keys/?q=console", headers=HTMX)

    assert asked(node) == []
    assert "checking…" in words_of(part)
    assert check_url_of(part).startswith("/keys/?q=console&seen=")
