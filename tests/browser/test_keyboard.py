"""Keyboard only: tab order, visible focus, skip link, shortcuts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Member, sign_in

pytestmark = pytest.mark.browser

FOCUSED = """() => {
  const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
  const frame = getComputedStyle(it.closest(".pill, .choice") ?? it);
  const words = it.getAttribute("aria-label") || it.labels?.[0]?.textContent || it.textContent;
  return {
    name: (words || it.id).trim().replace(/\\s+/g, " "),
    isSeen: frame.outlineStyle !== "none" && parseFloat(frame.outlineWidth) >= 2,
    isInView: box.bottom > 0 && box.top < innerHeight,
    isDone: it === document.body,
  };
}"""


@pytest.fixture
def page(open_page: Callable[..., Page], member: Member) -> Page:
    page = open_page()
    sign_in(page, member)
    return page


def walk(page: Page) -> list[str]:
    """Press Tab through the whole page; each focused element must be visible."""
    stops: list[str] = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop["isDone"]:
            break
        assert stop["isSeen"], stop
        assert stop["isInView"], stop
        stops.append(stop["name"])
    return stops


def test_the_tab_order_of_the_list_is_the_reading_order(page: Page) -> None:
    stops = walk(page)
    brand, account = stops[1], stops[6]
    assert stops[0] == "Skip to content"
    assert "Estuary Admin" in brand
    assert stops[2:6] == ["Keys", "Stats", "Exports", "Audit"]
    assert account.startswith("Account menu,")
    assert stops[7:13] == ["New key", "Search keys", "All 1", "Active 1", "Label", "Expires"]
    assert stops[13] == "console"
    assert stops[14].startswith("Revoke console, ")
    assert stops[15:] == ["Refresh"]


@pytest.mark.parametrize("path", ["/keys/new/", "/account/", "/exports/", "/account/token/"])
def test_every_focused_element_is_visible(page: Page, path: str) -> None:
    page.goto(path)
    assert len(walk(page)) > 6


def test_the_skip_link_leads_to_the_content(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New key")).to_be_focused()


def test_shortcuts_search_create_and_show_help(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("n?/")
    expect(page.get_by_role("searchbox")).to_have_value("n?/")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("searchbox").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("dialog", name="New key")).to_be_visible()


def test_shortcuts_lead_to_the_list_from_other_pages(page: Page) -> None:
    page.goto("/stats/")
    page.keyboard.press("n")
    page.wait_for_url("**/keys/new/")
    page.goto("/stats/")
    page.keyboard.press("/")
    page.wait_for_url("**/keys/")


def test_shortcuts_can_be_switched_off(page: Page) -> None:
    page.goto("/account/")
    page.get_by_label("shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#notices")).not_to_be_empty()
    page.goto("/keys/")
    for key in ("?", "n", "/"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("searchbox")).not_to_be_focused()


def test_the_account_menu_closes_by_escape_and_gives_the_focus_back(page: Page) -> None:
    summary = page.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(summary).to_be_focused()
