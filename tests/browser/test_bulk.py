"""Many keys at once: ticked in the list, previewed, changed; with and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Member, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def waiting_change(open_page: OpenPage, console: Console, member: Member) -> Page:
    """The page of a change that revokes 12 keys, and that waits for a worker."""
    for number in range(12):
        console.node.add_key(member.account, label=f"old {number}")
    page = open_page()
    sign_in(page, member)
    page.goto("/keys/?q=old")
    for box in page.locator("[name=key]").all():
        box.check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Revoke 12 keys").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    return page


@pytest.mark.parametrize("has_scripts", [True, False])
def test_ticked_keys_are_revoked(
    open_page: OpenPage, console: Console, member: Member, *, has_scripts: bool
) -> None:
    for number in range(3):
        console.node.add_key(member.account, label=f"old {number}")
    page = open_page(java_script_enabled=has_scripts)
    sign_in(page, member)

    page.get_by_label("Select old 0").check()
    page.get_by_label("Select old 2").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="Revoke 2 keys")).to_be_visible()
    page.get_by_role("button", name="Revoke 2 keys").click()

    expect(page.get_by_role("heading", name="2 of 2 keys revoked")).to_be_visible()
    labels = sorted(key.label for key in member.account.keys.values())
    assert labels == ["console", "old 1"]


def test_ticking_works_on_a_phone(
    open_page: OpenPage, console: Console, member: Member, phone: dict[str, Any]
) -> None:
    console.node.add_key(member.account, label="old")
    page = open_page(**phone)
    sign_in(page, member)

    page.get_by_label("Select old").tap()
    page.get_by_label("With the selected keys").select_option("note")
    page.get_by_role("button", name="Preview").tap()
    page.get_by_label("Purpose").fill("copies of the wiki")
    page.get_by_role("button", name="Set the notes of 1 key").tap()

    expect(page.get_by_role("heading", name="1 of 1 key changed")).to_be_visible()


def test_progress_is_polled_until_it_is_cancelled(
    open_page: OpenPage, console: Console, member: Member
) -> None:
    page = waiting_change(open_page, console, member)
    cancel = page.get_by_role("button", name="Cancel the rest")
    cancel.evaluate("it => { it.focus(); window.before = it; }")
    page.wait_for_function("() => !window.before.isConnected")  # it asks by itself
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-state=cancelled]")).to_be_visible()
    expect(page.locator("[data-hx-trigger]:is(#bulk-change)")).to_have_count(0)


def test_an_ended_session_is_told_once_while_the_page_asks(
    open_page: OpenPage, console: Console, member: Member
) -> None:
    page = waiting_change(open_page, console, member)

    page.context.clear_cookies()

    notice = page.get_by_role("alert").filter(has_text="Your session has ended.")
    expect(notice).to_be_visible(timeout=20_000)
    notice.evaluate("it => { window.told = it; }")
    with page.expect_response(lambda answer: "/keys/bulk/" in answer.url):
        pass
    page.wait_for_timeout(200)
    assert page.evaluate("window.told.isConnected")
