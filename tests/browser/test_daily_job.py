"""What a member does every day, in a browser with scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox import Fault
from tests.browser.conftest import Member, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def create(page: Page, label: str) -> None:
    page.goto("/keys/new/")
    page.get_by_label("Label").fill(label)
    page.get_by_role("button", name="Create key").click()


def test_a_new_member_signs_in_connects_and_sees_the_keys(
    open_page: OpenPage, newcomer: Member
) -> None:
    page = open_page()
    sign_in(page, newcomer)
    page.get_by_label("Token of your Estuary key").fill(f"Bearer {newcomer.token}")
    page.get_by_role("button", name="Connect").click()
    page.wait_for_url("**/keys/")
    expect(page.get_by_role("table")).to_contain_text("Used by this console")


def test_a_new_key_is_shown_masked_and_copied_whole(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    sign_in(page, member)
    create(page, "ci upload")
    field = page.get_by_label("Token", exact=True)
    expect(field).to_be_visible()
    token = list(member.account.keys)[-1]
    expect(field).to_have_value(token)
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.get_by_role("status").filter(has_text="Copied")).not_to_have_count(0)
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.get_by_role("link", name="I have saved it").click()
    expect(page.get_by_role("table")).to_contain_text("ci upload")
    assert token not in page.content()


def test_reloading_the_created_page_creates_no_key_and_shows_no_token(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, member)
    create(page, "reloaded")
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    token = list(member.account.keys)[-1]
    page.reload()
    expect(page.get_by_label("Token", exact=True)).to_have_count(0)
    assert token not in page.content()
    assert [key.label for key in member.account.keys.values()] == ["console", "reloaded"]


@pytest.mark.parametrize("latency", [0.02, 1.0])
@pytest.mark.parametrize("by", ["click", "Enter"])
def test_submitting_twice_creates_one_key(
    console: Console, open_page: OpenPage, member: Member, by: str, latency: float
) -> None:
    console.node.set_fault("create", Fault("delay", seconds=latency, times=1))
    page = open_page()
    sign_in(page, member)
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("twice")
    if by == "click":
        page.get_by_role("button", name="Create key").dblclick()
    else:
        page.get_by_label("Label").press("Enter")
        page.keyboard.press("Enter")
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    assert [key.label for key in member.account.keys.values()] == ["console", "twice"]


def test_revoking_asks_first_and_then_the_key_is_gone(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    sign_in(page, member)
    create(page, "doomed")
    page.get_by_role("link", name="I have saved it").click()
    page.get_by_role("row").filter(has_text="doomed").get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.locator("#notices")).to_contain_text("Revoked “doomed”")
    expect(page.get_by_role("table")).not_to_contain_text("doomed")
    assert [key.label for key in member.account.keys.values()] == ["console"]


def test_signing_out_ends_the_session(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    sign_in(page, member)
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
    page.goto("/keys/")
    page.wait_for_url("**/accounts/login/**")
