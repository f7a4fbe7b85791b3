"""Search, filters, sorting and pages: all in the address, and from one list for 15 seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine
from django.test import Client

from estuary_admin.unicode_text import without_invisible
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import HTMX
from tests.keys.evidence import asked, listed, words_of


@pytest.fixture
def several(node: Sandbox, account: Account) -> dict[str, str]:
    """Alice's keys of every kind, by label."""
    day = timedelta(days=1)
    kinds = {"alpha": 5 * day, "Beta": 60 * day, "gamma": 20 * day, "ended": -day, "forever": None}
    tokens = {label: node.add_key(account, label, lifetime) for label, lifetime in kinds.items()}
    tokens["sign-in"] = node.add_key(account, "sign-in", is_session=True)
    tokens["old"] = node.add_key(account, "old", era="transitional")
    return tokens


def test_all_shows_everything_but_sessions(browser: Client, several: dict[str, str]) -> None:
    assert listed(browser) == ["alpha", "Beta", "console", "ended", "forever", "gamma", "old"]


@pytest.mark.parametrize(
    ("status", "labels"),
    [
        ("active", ["Beta", "console", "gamma", "old"]),
        ("expiring", ["alpha"]),
        ("expired", ["ended"]),
        ("permanent", ["forever"]),
        ("session", ["sign-in"]),
        ("legacy", ["old"]),
        ("nonsense", ["alpha", "Beta", "console", "ended", "forever", "gamma", "old"]),
    ],
)
def test_a_chip_shows_its_kind(
    browser: Client, several: dict[str, str], status: str, labels: list[str]
) -> None:
    assert listed(browser, f"?status={status}") == labels


def test_chips_count_all_keys_whatever_is_searched(
    browser: Client, several: dict[str, str]
) -> None:
    page = words_of(browser.get("/keys/?q=alpha"))

    assert (
        "All 7 Active 4 Expiring 1 Expired 1 Permanent 1 Legacy 1 Sessions 1 Revoke expired keys"
        in page
    )


def test_chips_without_keys_are_left_out(browser: Client) -> None:
    page = words_of(browser.get("/keys/"))

    assert "All 1 Active 1 " in page
    assert "Expired" not in page


def test_an_empty_chip_shows_while_it_is_chosen(browser: Client) -> None:
    page = words_of(browser.get("/keys/?status=expired"))

    assert "Expired 0" in page
    assert "No key is in this group. Your other keys are still there." in page


def test_an_empty_result_in_a_filter_points_to_the_others(browser: Client) -> None:
    found = "matches “console”. Your other keys are still there."

    assert f"No key in this group {found}" in words_of(
        browser.get("/keys/?q=console&status=expired")
    )
    assert "No key matches “zzz”." in words_of(browser.get("/keys/?q=zzz"))


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("?q=BETA", ["Beta"]),
        ("?q=a&status=active", ["Beta", "gamma"]),
        ("?q=zzz", []),
        ("?q=sign-in", []),
        ("?q=sign-in&status=session", ["sign-in"]),
    ],
)
def test_a_search_finds_labels(
    browser: Client, several: dict[str, str], query: str, labels: list[str]
) -> None:
    assert listed(browser, query) == labels


def test_a_search_finds_a_fingerprint(browser: Client, several: dict[str, str]) -> None:
    assert listed(browser, f"?q={hash_of(several['gamma'])[:8]}") == ["gamma"]


def test_a_searched_token_redirects_to_its_fingerprint(
    browser: Client, node: Sandbox, several: dict[str, str]
) -> None:
    token = several["gamma"]

    response = browser.get("/keys/", {"q": f"Bearer {token}"}, follow=True)

    assert response.redirect_chain == [(f"/keys/?q={hash_of(token)[:8]}", 302)]
    assert "You searched for a whole token" in words_of(response)
    assert token not in response.content.decode()
    assert "gamma" in words_of(response)


def test_htmx_redirects_a_searched_token_too(browser: Client, several: dict[str, str]) -> None:
    token = several["gamma"]

    response = browser.get("/keys/", {"q": token}, headers=HTMX)

    assert response["HX-Redirect"] == f"/keys/?q={hash_of(token)[:8]}"


@pytest.mark.parametrize(
    ("sort", "labels"),
    [
        ("label", ["alpha", "Beta", "console", "ended", "forever", "gamma", "old"]),
        ("-label", ["old", "gamma", "forever", "ended", "console", "Beta", "alpha"]),
        ("expiry", ["ended", "alpha", "gamma", "console", "old", "Beta", "forever"]),
        ("-expiry", ["forever", "Beta", "old", "console", "gamma", "alpha", "ended"]),
    ],
)
def test_sorting(browser: Client, several: dict[str, str], sort: str, labels: list[str]) -> None:
    assert listed(browser, f"?sort={sort}") == labels


def test_keys_without_label_come_last(browser: Client, node: Sandbox, account: Account) -> None:
    node.add_key(account, "")
    node.add_key(account, "zulu")

    assert listed(browser)[-1] == "No label"
    assert listed(browser, "?sort=-label")[-1] == "No label"


def test_sort_links_reverse_and_name_the_direction(browser: Client) -> None:
    page = browser.get("/keys/?q=c&sort=label").content.decode()

    assert 'aria-sort="ascending"' in page
    assert 'href="/keys/?q=c&amp;sort=-label"' in page
    assert 'href="/keys/?q=c&amp;sort=expiry"' in page


def test_pages_keep_the_query(browser: Client, node: Sandbox, account: Account) -> None:
    for number in range(120):
        node.add_key(account, f"key {number:03}")

    first = browser.get("/keys/?q=key&sort=-label")
    last = browser.get("/keys/?q=key&sort=-label&page=3")

    assert "40 of 120 keys" in words_of(first)
    assert 'href="?q=key&amp;sort=-label&amp;page=2"' in first.content.decode()
    assert "120 of 120 keys" in words_of(last)
    assert "Page 3 of 3" in words_of(last)
    assert listed(browser, "?q=key&sort=-label&page=99")[-1] == "key 000"


def test_a_list_is_reused_for_15_seconds(
    browser: Client, node: Sandbox, several: dict[str, str]
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for query in ("", "?q=a", "?sort=expiry", "?status=active", "?page=2"):
            listed(browser, query)
        assert asked(node) == ["GET /user/api-keys"]

        clock.shift(15)
        listed(browser, "?q=b")
        assert len(node.requests) == 1

        clock.shift(1)
        listed(browser, "?q=b")
        assert len(node.requests) == 2


def test_refresh_asks_estuary_again(browser: Client, node: Sandbox) -> None:
    page = browser.get("/keys/?q=c").content.decode()
    assert 'data-hx-get="/keys/?q=c&amp;fresh=1">Refresh' in page

    browser.get("/keys/?q=c&fresh=1")

    assert asked(node) == ["GET /user/api-keys"] * 2


def test_paging_after_a_refresh_reuses_the_list(
    browser: Client, node: Sandbox, account: Account
) -> None:
    for number in range(60):
        node.add_key(account, f"key {number:03}")

    page = browser.get("/keys/?q=key&fresh=1").content.decode()

    assert 'href="?q=key&amp;page=2"' in page


def test_a_change_of_ours_discards_the_list_at_once(
    browser: Client, node: Sandbox, several: dict[str, str]
) -> None:
    listed(browser)

    browser.post(f"/keys/{hash_of(several['gamma'])}/revoke/")

    assert "gamma" not in listed(browser, "?sort=label")


@pytest.mark.parametrize("written", ["caf\u00e9", "cafe\u0301", "CAF\u00c9", "CAFE\u0301"])
@pytest.mark.parametrize("kept", ["caf\u00e9 upload", "cafe\u0301 upload"])
def test_an_accent_is_found_in_either_normal_form(
    browser: Client, node: Sandbox, account: Account, kept: str, written: str
) -> None:
    node.add_key(account, label=kept)

    assert listed(browser, f"?q={quote(written)}") == [kept]


@pytest.mark.parametrize("label", ["\u200b", "\u3164\u3164", "\u2800", "\u00ad \ufe0f"])
def test_a_label_that_shows_nothing_counts_as_no_label(
    browser: Client, node: Sandbox, account: Account, label: str
) -> None:
    token = node.add_key(account, label=label)

    assert listed(browser) == ["console", "No label"]
    for path in (f"/keys/{hash_of(token)}/", f"/keys/{hash_of(token)}/revoke/"):
        assert "No label" in words_of(browser.get(path))
    response = browser.post(f"/keys/{hash_of(token)}/revoke/", follow=True)
    assert f"Revoked Key {hash_of(token)[:8]}." in words_of(response)


def test_a_token_with_a_zero_width_character_is_recognised_in_a_search(
    browser: Client, token: str
) -> None:
    response = browser.get("/keys/", {"q": f"{token[:9]}\u200b{token[9:]}"})

    assert response["Location"] == f"/keys/?q={hash_of(token)[:8]}"


@pytest.mark.parametrize("text", ["%00", "back%00up"])
def test_a_search_that_holds_nul_finds_the_rest_of_it(browser: Client, text: str) -> None:
    page = browser.get(f"/keys/?q={text}")

    assert page.status_code == 200
    assert page.context["list_query"].q == text.replace("%00", "")


@pytest.mark.parametrize("between", ["\u200b", "\u00ad", "\u3164", "\x00", "\ufe0f"])
@pytest.mark.parametrize("place", [1, 3, 9, 40])
def test_a_token_in_a_label_is_masked_whatever_breaks_it_up(
    browser: Client, node: Sandbox, account: Account, token: str, between: str, place: int
) -> None:
    node.add_key(account, label=f"mine: {token[:place]}{between}{token[place:]}")

    assert "mine: EST…" in listed(browser)
    assert token[4:-4] not in without_invisible(browser.get("/keys/").content.decode())
