"""The list changes in place and so does its URL: bookmarks, Back and reload work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox.seeding import seed_keys
from tests.browser.conftest import Member, settled, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


@pytest.fixture
def page(console: Console, open_page: OpenPage, member: Member) -> Page:
    """The list of a member with 101 keys, marked so that a full load would show."""
    for number in range(100):
        console.node.add_key(member.account, f"robot {number:03}")
    page = open_page()
    sign_in(page, member)
    page.evaluate("window.isSamePage = true")
    return page


def is_same_page(page: Page) -> bool:
    return bool(page.evaluate("window.isSamePage === true"))


def test_a_search_can_be_bookmarked(open_page: OpenPage, page: Page, member: Member) -> None:
    page.get_by_role("searchbox").press_sequentially("robot 01", delay=20)
    expect(page.locator("[data-announce]")).to_contain_text("10 keys")
    page.wait_for_url("**/keys/?q=robot+01")
    assert is_same_page(page)

    other = open_page()
    sign_in(other, member)
    other.goto(page.url)
    expect(other.get_by_role("searchbox")).to_have_value("robot 01")
    expect(other.locator("[data-announce]")).to_contain_text("10 keys")


def test_back_undoes_paging_sorting_filter_and_search(page: Page) -> None:
    page.get_by_role("link", name="later").click()
    page.wait_for_url("**/keys/?status=active")
    page.get_by_role("link", name="Ends").click()
    page.wait_for_url("**/keys/?status=active&sort=expiry")
    page.get_by_role("link", name="Next", exact=True).first.click()
    page.wait_for_url("**/keys/?status=active&sort=expiry&page=2")
    expect(page.get_by_text("Page 2 of 3").first).to_be_visible()
    assert is_same_page(page)

    page.go_back()
    expect(page.get_by_text("Page 1 of 3").first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("columnheader", name="Ends")).to_have_attribute("aria-sort", "other")
    page.go_back()
    expect(page.locator("#chip-all")).to_have_attribute("aria-current", "true")
    page.go_forward()
    expect(page.get_by_role("link", name="later")).to_have_attribute("aria-current", "true")


def test_typing_one_search_adds_one_history_entry(page: Page) -> None:
    page.get_by_role("link", name="later").click()
    page.wait_for_url("**/keys/?status=active")
    for text in ("r", "ro", "robot 09"):
        page.get_by_role("searchbox").fill(text)
        page.wait_for_url(f"**/keys/?q={text.replace(' ', '+')}&status=active")
    page.go_back()
    page.wait_for_url("**/keys/?status=active")
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.locator("[data-announce]")).to_contain_text("of 101 keys")


def test_clearing_the_search_leaves_a_plain_address(page: Page) -> None:
    page.get_by_role("searchbox").fill("robot 09")
    page.wait_for_url("**/keys/?q=robot+09")
    page.get_by_role("searchbox").fill("")
    page.wait_for_url("**/keys/")
    expect(page.locator("[data-announce]")).to_contain_text("of 101 keys")


def test_refresh_asks_estuary_again_and_adds_no_history_entry(
    console: Console, page: Page, member: Member
) -> None:
    page.get_by_role("searchbox").fill("robot 01")
    expect(page.locator("[data-announce]")).to_contain_text("10 keys")
    console.node.add_key(member.account, "robot 01 twin")
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator("[data-announce]")).to_contain_text("11 keys")
    assert page.url.endswith("/keys/?q=robot+01")
    assert is_same_page(page)
    page.go_back()
    page.wait_for_url("**/keys/")


def test_paging_scrolls_to_the_top_and_keeps_the_focus(page: Page) -> None:
    following = page.locator("#page-next-below")
    following.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Page 2 of 3").first).to_be_visible()
    expect(following).to_be_focused()
    settled(page)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Page 3 of 3").first).to_be_visible()
    expect(page.get_by_role("region", name="List of keys")).to_be_focused()
    expect(page.locator("#chip-all")).to_be_in_viewport()


def test_ctrl_click_opens_a_link_in_a_new_tab(page: Page) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="New key").click(modifiers=["Control"])
    expect(opened.value.get_by_role("heading", name="New key")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_page_around_the_list_does_not_move(page: Page) -> None:
    parts = "[...document.querySelectorAll('h1, .search, .chips ul, thead')]"
    places = f"{parts}.map((it) => it.getBoundingClientRect().top)"
    before = page.evaluate(places)
    page.get_by_role("searchbox").fill("robot 01")
    expect(page.locator("[data-announce]")).to_contain_text("10 keys")
    assert page.evaluate(places) == before
    page.get_by_role("link", name="Ends").click()
    page.wait_for_url("**sort=expiry")
    assert page.evaluate(places) == before


def test_ten_thousand_keys_are_searched_sorted_and_paged(
    console: Console, open_page: OpenPage, newcomer: Member
) -> None:
    seed_keys(console.node, newcomer.account, 10_000, seed=newcomer.account.id + 100)
    console.node.add_key(newcomer.account, "needle")
    page = open_page()
    sign_in(page, newcomer)
    page.get_by_label("Token of your Estuary key").fill(newcomer.token)
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("[data-announce]")).to_contain_text("of 10,002 keys")
    page.get_by_role("searchbox").fill("needle")
    expect(page.locator("[data-announce]")).to_have_text("1 key")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("link", name="Next", exact=True).first.click()
    expect(page.get_by_text("Page 2 of 251").first).to_be_visible()
