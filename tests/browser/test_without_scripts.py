"""What a member does every day, with scripts blocked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox import Fault
from tests.browser.conftest import Member, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser


def test_the_whole_job_works_without_scripts(
    open_page: Callable[..., Page], newcomer: Member
) -> None:
    page = open_page(java_script_enabled=False)
    sign_in(page, newcomer)
    page.get_by_label("Token of your Estuary key").fill(newcomer.token)
    page.get_by_role("button", name="Connect").click()
    page.wait_for_url("**/keys/")

    page.get_by_role("link", name="New key").first.click()
    page.get_by_label("Label").fill("by hand")
    page.get_by_text("Custom", exact=True).click()
    page.get_by_label("Custom lifetime").fill("36h")
    page.get_by_role("button", name="Create key").click()
    field = page.get_by_label("Token", exact=True)
    expect(field).to_be_visible()
    expect(field).to_have_value(list(newcomer.account.keys)[-1])
    expect(page.get_by_text("Put the token in place of")).to_be_visible()
    expect(page.get_by_text("filled in when you copy")).to_be_hidden()
    page.get_by_role("link", name="I have saved it").click()

    page.get_by_role("searchbox").fill("hand")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("table")).to_contain_text("by hand")
    expect(page.get_by_role("table")).not_to_contain_text("console")
    page.get_by_role("link", name="Revoke").first.click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.locator("#notices")).to_contain_text("Revoked “by hand”")

    page.get_by_role("link", name="Stats").click()
    expect(page.get_by_text("Pins", exact=True)).to_be_visible()
    page.get_by_role("link", name="Exports").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download now").click()
    assert download.value.suggested_filename.startswith("estuary-export-newcomer-")

    page.goto("/account/token/disconnect/")
    page.get_by_role("button", name="Disconnect").click()
    page.wait_for_url("**/account/token/")
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")


def test_the_search_field_of_a_phone_shows_what_is_typed(
    open_page: Callable[..., Page], member: Member
) -> None:
    page = open_page(java_script_enabled=False, viewport={"width": 390, "height": 844})
    sign_in(page, member)
    page.goto("/keys/")

    box = page.get_by_role("searchbox").bounding_box()

    assert box
    assert box["width"] > 200


def test_two_clicks_without_scripts_create_one_key(
    console: Console, open_page: Callable[..., Page], member: Member
) -> None:
    console.node.set_fault("create", Fault("delay", seconds=0.5, times=1))
    page = open_page(java_script_enabled=False)
    sign_in(page, member)
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("twice")
    button = page.get_by_role("button", name="Create key")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    for _ in range(2):  # with the mouse: a locator would wait for the next page
        page.mouse.click(box["x"] + 5, box["y"] + 5)
        page.wait_for_timeout(150)
    expect(page.get_by_role("heading", name="This key was created already")).to_be_visible()
    assert [key.label for key in member.account.keys.values()] == ["console", "twice"]


def test_the_rest_of_the_job_works_without_scripts(
    console: Console, open_page: Callable[..., Page], member: Member
) -> None:
    for number in range(2):
        console.node.add_key(member.account, f"past {number}", timedelta(days=-3))
    page = open_page(java_script_enabled=False)
    sign_in(page, member)

    page.get_by_role("link", name="2 ended").click()
    page.get_by_role("link", name="Ends").click()
    expect(page.get_by_role("columnheader", name="Ends")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.get_by_role("link", name="Revoke all 2 expired").click()
    page.get_by_role("button", name="Revoke 2 keys").click()
    expect(page.get_by_role("heading", name="2 of 2 keys revoked")).to_be_visible()

    page.locator("summary").click()
    page.get_by_role("link", name="Account", exact=True).click()
    page.get_by_text("Dark", exact=True).click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    page.get_by_role("link", name="Keys", exact=True).click()
    page.get_by_role("link", name="console", exact=True).click()
    expect(page.get_by_role("heading", name="console")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    page.locator("summary").click()
    page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
