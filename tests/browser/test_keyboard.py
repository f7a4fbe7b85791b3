"""Keyboard only: tab order, visible focus, skip link, shortcuts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Member, sign_in
from tests.browser.stage import Stage
from tests.support.console import Console

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
    brand, account = stops[1], stops[7]
    assert stops[0] == "Skip to content"
    assert "Estuary Admin" in brand
    assert stops[2:7] == ["Keys", "Find", "Stats", "Exports", "Audit"]
    assert account.startswith("Account menu,")
    assert stops[8:12] == ["Search keys", "New key", "1 key", "1 later"]
    assert stops[12:15] == ["1 no purpose", "1 not made here", "Refresh"]
    assert all(re.fullmatch(r"\d+ \w{3}: \d keys?", stop) for stop in stops[15:28])
    assert stops[28:30] == ["Label", "Ends"]
    assert stops[30:34] == ["Select console", "console", "Rotate", "Revoke"]
    assert stops[34:] == ["With the selected keys", "Preview"]


@pytest.mark.parametrize("path", ["/keys/new/", "/account/", "/exports/", "/account/token/"])
def test_every_focused_element_is_visible(page: Page, path: str) -> None:
    page.goto(path)
    page.get_by_role("link", name="Skip to content").focus()  # the first field has the focus
    assert len(walk(page)) > 6


def test_the_skip_link_leads_to_the_content(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()


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
    page.keyboard.press("f")
    page.wait_for_url("**/keys/find/")


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


def test_the_first_field_has_the_focus(
    console: Console, open_page: Callable[..., Page], member: Member, newcomer: Member
) -> None:
    page = open_page()
    page.goto("/accounts/login/")
    expect(page.get_by_label("Username")).to_be_focused()
    sign_in(page, member)
    page.goto("/keys/new/")
    expect(page.get_by_label("Label")).to_be_focused()
    console.age_proofs()
    page.goto("/keys/new/")
    expect(page.get_by_label("Password")).to_be_focused()
    other = open_page()
    sign_in(other, newcomer)
    expect(other.locator("#id_token")).to_be_focused()


def test_the_list_is_worked_through_by_keyboard(
    console: Console, member: Member, open_page: Callable[..., Page]
) -> None:
    for number in range(50):
        console.node.add_key(member.account, f"robot {number:02}", timedelta(days=5 + number / 9))
    page = open_page()
    sign_in(page, member)
    labels = page.locator(".key-label")

    for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(labels.nth(row)).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_role("dialog", name="Revoke key")).to_contain_text("robot 01")
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    expect(page.get_by_text("Page 2 of 2").first).to_be_visible()
    page.keyboard.press("[")
    expect(page.get_by_text("Page 1 of 2").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="robot 00")).to_be_visible()


PRESS = """(event) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...event }))"""


def test_brackets_typed_with_option_or_altgr_turn_the_page(stage: Stage) -> None:
    with stage.page_of("many") as page:
        page.goto("/keys/")
        number = page.get_by_text("Page ", exact=False).first
        for key, modifiers, wanted in (
            ("]", {"altKey": True}, 2),  # Option on a Mac
            ("]", {"altKey": True, "ctrlKey": True}, 3),  # AltGr on Windows
            ("[", {"altKey": True}, 2),
        ):
            page.evaluate(PRESS, {"key": key, **modifiers})
            expect(number).to_contain_text(f"Page {wanted} of")
        for modifiers in ({"metaKey": True}, {"ctrlKey": True}):  # the browser's own
            assert page.evaluate(PRESS, {"key": "[", **modifiers}), "it was not left alone"


def test_help_lists_the_keys_of_the_list(page: Page) -> None:
    page.keyboard.press("?")
    help_text = page.get_by_role("dialog", name="Keyboard shortcuts")
    for key in ("[", "]", "j", "k", "Enter", "r", "?"):
        expect(help_text.locator("kbd").get_by_text(key, exact=True)).to_have_count(1)
