"""The node decides when a key expires, so its clock counts; a difference is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from keys.api_keys.counts import current_counts
from keys.api_keys.key_lists import last_known
from keys.models import StoredToken
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.keys.evidence import labels_at, listed, words_of

HOUR = 3600
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def ours_is_ahead(node: Sandbox) -> None:
    """This console's clock is an hour ahead of the node's."""
    node.clock_offset = -HOUR


@pytest.fixture
def ours_is_behind(node: Sandbox) -> None:
    node.clock_offset = HOUR


@pytest.fixture
def short(node: Sandbox, account: Account) -> str:
    """A key that lives for half an hour by the node's clock; expired by one that is ahead."""
    return node.add_key(account, label="short", lifetime=HALF_AN_HOUR)


@pytest.mark.usefixtures("ours_is_ahead")
def test_a_clock_that_is_ahead_revokes_no_key_that_works(
    browser: Client, node: Sandbox, short: str
) -> None:
    assert "You have no expired keys" in words_of(browser.get("/keys/revoke-expired/"))

    browser.post("/keys/revoke-expired/")

    assert "short" in labels_at(node)


@pytest.mark.usefixtures("ours_is_ahead")
def test_a_clock_that_is_ahead_calls_no_key_expired(browser: Client, short: str) -> None:
    page = words_of(browser.get("/keys/"))
    assert "ended" not in page.lower()
    assert "expired" not in page
    assert "1 ends this week, in 30 minutes" in page
    assert "Ends within 7 days · 1" in page
    assert listed(browser, "?status=expired") == []
    assert listed(browser, "?status=expiring") == ["short"]
    for path in (f"/keys/{hash_of(short)}/", f"/keys/{hash_of(short)}/revoke/"):
        assert "expired" not in words_of(browser.get(path)).lower()
    assert current_counts().by_status["expired"] == 0


@pytest.mark.usefixtures("ours_is_behind")
def test_a_clock_that_is_behind_calls_no_key_active_that_has_expired(
    browser: Client, node: Sandbox, account: Account, token: str
) -> None:
    node.add_key(account, label="ended", lifetime=timedelta(minutes=-5))

    assert listed(browser, "?status=expired") == ["ended"]
    page = words_of(browser.get("/keys/"))
    assert "5 minutes ago Revoke" in page
    assert "Ended · 1" in page


@pytest.mark.usefixtures("ours_is_behind")
def test_what_only_the_nodes_clock_calls_expired_is_not_revoked_in_bulk(
    browser: Client, node: Sandbox, account: Account
) -> None:
    node.add_key(account, label="ended for the node", lifetime=timedelta(minutes=-5))
    node.add_key(account, label="ended for both", lifetime=timedelta(hours=-2))

    page = words_of(browser.get("/keys/revoke-expired/"))
    browser.post("/keys/revoke-expired/")

    assert "1 expired key will be revoked" in page
    assert labels_at(node) == ["console", "ended for the node"]


def test_a_list_from_before_our_clock_jumped_does_not_decide_in_bulk(
    browser: Client, node: Sandbox, short: str
) -> None:
    browser.get("/keys/")  # kept, from when the clocks agreed

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
        node.clock_offset = -HOUR  # in the test both share one machine
        browser.post("/keys/revoke-expired/")

    assert "short" in labels_at(node)


@pytest.mark.usefixtures("ours_is_ahead")
@pytest.mark.parametrize("path", ["/keys/", "/keys/{hash}/", "/keys/revoke-expired/", "/account/"])
def test_a_difference_is_shown_on_the_page(browser: Client, short: str, path: str) -> None:
    page = words_of(browser.get(path.format(hash=hash_of(short))))

    assert "Estuary's clock is 1 hour behind this console's." in page


@pytest.mark.parametrize("offset", [-20, 0, 20])
def test_a_small_difference_is_not_shown(browser: Client, node: Sandbox, offset: int) -> None:
    node.clock_offset = offset

    assert "clock" not in words_of(browser.get("/keys/"))


@pytest.mark.usefixtures("ours_is_ahead")
def test_the_connected_key_is_judged_by_the_nodes_clock(
    browser: Client, node: Sandbox, account: Account, token: str
) -> None:
    node.state.keys[token].expiry = node._wall() + 30 * 60 * 10**9

    page = words_of(browser.get("/account/"))

    assert "It expires soon: connect another key before then." in page
    assert "in 30 minutes" in page


@pytest.mark.usefixtures("ours_is_ahead")
def test_readyz_reports_the_difference(browser: Client, client: Client) -> None:
    browser.get("/keys/")

    state = client.get("/readyz").json()["estuary"]

    assert state["last_answer"] == "ok"
    assert -3605 <= state["clock_ahead_seconds"] <= -3595
    assert state["clock"] == "differs"


def test_readyz_reports_an_unreachable_estuary_and_stays_ready(
    browser: Client, client: Client, node: Sandbox
) -> None:
    node.stop()
    browser.get("/keys/")

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["estuary"]["last_answer"] == "refused"


def test_a_kept_list_is_judged_by_the_clock_of_its_answer(
    browser: Client, node: Sandbox, short: str
) -> None:
    node.clock_offset = -HOUR
    browser.get("/keys/")
    node.stop()

    assert listed(browser, "?status=expiring") == ["short"]
    [stored] = StoredToken.objects.all()
    assert last_known(stored)
