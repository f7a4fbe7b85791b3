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
from tests.keys.evidence import asked, check_url_of, checked, listed, words_of


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
    assert listed(browser) == ["alpha", "gamma", "console", "old", "Beta", "forever", "ended"]


@pytest.mark.parametrize(
    ("status", "labels"),
    [
        ("active", ["gamma", "console", "old", "Beta"]),
        ("expiring", ["alpha"]),
        ("expired", ["ended"]),
        ("permanent", ["forever"]),
        ("session", ["sign-in"]),
        ("legacy", ["old"]),
        ("over-policy", []),
        ("no-purpose", ["alpha", "gamma", "console", "old", "Beta", "forever"]),
        ("not-made-here", ["alpha", "gamma", "console", "old", "Beta", "forever"]),
        ("nonsense", ["alpha", "gamma", "console", "old", "Beta", "forever", "ended"]),
    ],
)
def test_a_chip_shows_its_kind(
    browser: Client, several: dict[str, str], status: str, labels: list[str]
) -> None:
    assert listed(browser, f"?status={status}") == labels


def test_the_line_says_the_state_of_the_account(browser: Client, several: dict[str, str]) -> None:
    page = words_of(browser.get("/keys/"))

    assert (
        "7 keys 1 ends this week, in 5 days 4 later 1 no expiry 1 in plain text 1 ended 1 session "
        "6 no purpose 6 not made here Revoke 1 expired Refresh · read just now" in page
    )


def test_counts_follow_the_search(
    browser: Client, several: dict[str, str], node: Sandbox, account: Account
) -> None:
    node.add_key(account, "alpha two", timedelta(hours=3, minutes=10))

    page = words_of(browser.get("/keys/?q=alpha"))

    assert (
        "2 keys 2 end this week, the next in 3 hours 2 no purpose 2 not made here "
        "Revoke 1 expired" in page
    )
    assert "Ends within 7 days · 2" in page
    assert "2 later" not in page


def test_the_action_says_how_many_keys_it_revokes(
    browser: Client, node: Sandbox, account: Account
) -> None:
    assert "expired" not in words_of(browser.get("/keys/"))
    for number in range(63):
        node.add_key(account, f"past {number}", timedelta(days=-number - 1))
    node.add_key(account, "past session", timedelta(days=-1), is_session=True)

    assert "Revoke all 63 expired" in words_of(browser.get("/keys/?fresh=1"))
    assert "63 expired keys" in words_of(browser.get("/keys/revoke-expired/"))


def test_filters_without_keys_are_left_out(browser: Client) -> None:
    page = words_of(browser.get("/keys/"))

    assert "1 key 1 later 1 no purpose 1 not made here Refresh" in page
    assert "ended" not in page


def test_an_empty_filter_shows_while_it_is_chosen(browser: Client) -> None:
    page = words_of(browser.get("/keys/?status=expired"))

    assert "0 ended" in page
    assert "No key is in this group. Your other keys are still there." in page


def test_a_search_looks_at_every_key(browser: Client, several: dict[str, str]) -> None:
    fingerprint = hash_of(several["sign-in"])[:8]

    assert listed(browser, f"?q={fingerprint}") == ["sign-in"]
    assert listed(browser, "?q=sign-in&status=session") == ["sign-in"]
    assert "1 key 1 later 1 session" in words_of(browser.get(f"/keys/?q={fingerprint}"))


def test_a_pasted_token_of_a_session_is_found(browser: Client, several: dict[str, str]) -> None:
    page = browser.get("/keys/", {"q": several["sign-in"]}, follow=True)

    assert "sign-in" in words_of(page)
    assert "Nothing found" not in words_of(page)


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
        ("?q=a&status=active", ["gamma", "Beta"]),
        ("?q=zzz", []),
        ("?q=sign-in", ["sign-in"]),
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

    assert listed(browser, "?sort=label")[-1] == "No label"
    assert listed(browser, "?sort=-label")[-1] == "No label"


def test_sort_links_reverse_and_name_the_direction(browser: Client) -> None:
    page = browser.get("/keys/?q=c&sort=label").content.decode()

    assert 'aria-sort="ascending"' in page
    assert 'href="/keys/?q=c&amp;sort=-label"' in page
    assert 'href="/keys/?q=c&amp;sort=expiry"' in page


def test_the_end_sorts_up_then_down_then_in_groups(browser: Client) -> None:
    steps = [("", "other", "?sort=expiry"), ("?sort=expiry", "ascending", "?sort=-expiry")]
    for query, direction, next_query in [*steps, ("?sort=-expiry", "descending", "")]:
        page = browser.get(f"/keys/{query}").content.decode()
        assert f'aria-sort="{direction}"' in page
        assert f'id="sort-end" href="/keys/{next_query}"' in page


def test_pages_keep_the_query(browser: Client, node: Sandbox, account: Account) -> None:
    for number in range(120):
        node.add_key(account, f"key {number:03}")

    first = browser.get("/keys/?q=key&sort=-label")
    last = browser.get("/keys/?q=key&sort=-label&page=3")

    assert "1\N{EN DASH}40 of 120 keys" in words_of(first)
    assert 'href="/keys/?q=key&amp;sort=-label&amp;page=2"' in first.content.decode()
    assert "81\N{EN DASH}120 of 120 keys" in words_of(last)
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
        assert check_url_of(browser.get("/keys/?q=b")) == ""

        clock.shift(1)
        checked(browser, "/keys/?q=b")
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

    assert 'href="/keys/?q=key&amp;page=2"' in page


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

    assert sorted(listed(browser)) == ["No label", "console"]
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
