"""An ended session, a dropped connection, Estuary down: shown in place, nothing lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from keys.sandbox import Fault
from tests.browser.conftest import Member, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]

#: Console messages of htmx and the browser about broken or refused requests.
NOTED = "htmx:(afterRequest|sendError)|Status Error Code 403|ERR_FAILED|status of (403|502)"


@pytest.fixture
def page(open_page: OpenPage, member: Member) -> Page:
    page = open_page(ignored=NOTED)
    sign_in(page, member)
    return page


def filled_dialog(page: Page) -> Locator:
    page.get_by_role("link", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("half done")
    return dialog


def test_the_list_says_that_the_session_ended_and_links_back(page: Page) -> None:
    page.context.clear_cookies()
    page.get_by_role("link", name="later").click()
    notice = page.get_by_role("alert").filter(has_text="Your session has ended.")
    expect(notice).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text("console")
    way = str(notice.get_by_role("link", name="Sign in again").get_attribute("href"))
    assert way.endswith("?next=%2Fkeys%2F%3Fstatus%3Dactive")


def test_an_ended_session_loses_no_typed_text(
    page: Page, open_page: OpenPage, member: Member
) -> None:
    dialog = filled_dialog(page)
    page.context.clear_cookies()
    dialog.get_by_role("button", name="Create key").click()
    notice = dialog.get_by_role("alert").filter(has_text="What you typed is still here.")
    expect(notice).to_be_visible()
    expect(dialog.get_by_label("Label")).to_have_value("half done")

    with page.context.expect_page() as opened:
        notice.get_by_role("link", name="Sign in again").click()
    sign_in(opened.value, member)
    opened.value.close()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(dialog.get_by_text("You are signed in again.")).to_be_visible()
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_label("Token", exact=True)).to_be_visible()
    expect(dialog.get_by_text("Send it now.")).to_have_count(0)
    assert [key.label for key in member.account.keys.values()] == ["console", "half done"]


def test_a_dropped_connection_is_shown_with_a_retry(page: Page) -> None:
    page.route("**/keys/?status=active", lambda route: route.abort(), times=1)
    page.get_by_role("link", name="later").click()
    notice = page.get_by_role("alert").filter(has_text="This console cannot be reached.")
    expect(notice).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text("console")
    notice.get_by_role("link", name="Try again").click()
    page.wait_for_url("**/keys/?status=active")


def test_a_notice_in_a_small_dialog_covers_no_field(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})  # 1280 pixels at 400 %
    label = filled_dialog(page).get_by_label("Label")
    page.route("**/keys/new/", lambda route: route.abort())
    label.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_in_viewport(ratio=1)
    expect(label).to_be_focused()
    is_seen = """(field) => {
      const { left, top, bottom } = field.getBoundingClientRect();
      const at = (y) => document.elementFromPoint(left + 9, y);
      return at(top + 3) === field && at(bottom - 3) === field;
    }"""
    assert label.evaluate(is_seen)


def test_a_restored_connection_clears_the_notice(page: Page) -> None:
    page.route("**/keys/?status=active", lambda route: route.abort(), times=1)
    page.get_by_role("link", name="later").click()
    notice = page.get_by_role("alert").filter(has_text="This console cannot be reached.")
    expect(notice).to_be_visible()
    page.get_by_role("link", name="later").click()
    page.wait_for_url("**/keys/?status=active")
    expect(notice).to_have_count(0)


def test_a_form_sent_again_after_a_dropped_connection_creates_one_key(
    page: Page, member: Member
) -> None:
    dialog = filled_dialog(page)

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/keys/new/", lose_the_answer, times=1)
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nothing is done twice")
    expect(dialog.get_by_label("Label")).to_have_value("half done")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_text("This key was created already")).to_be_visible()
    assert [key.label for key in member.account.keys.values()] == ["console", "half done"]


def test_while_estuary_is_down_the_last_known_list_offers_no_change(
    console: Console, page: Page
) -> None:
    console.node.set_fault("any", Fault("502-html"))
    page.goto("/keys/")
    expect(page.get_by_role("alert")).to_contain_text("Nothing can be changed until it answers.")
    expect(page.get_by_role("table")).to_contain_text("console")
    expect(page.get_by_role("link", name="New key")).to_have_count(0)
    expect(page.get_by_role("link", name="Revoke")).to_have_count(0)
    console.node.clear_faults()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("link", name="New key")).to_be_visible()


def test_estuary_failing_during_a_creation_says_what_is_known(
    console: Console, page: Page, member: Member
) -> None:
    dialog = filled_dialog(page)
    console.node.set_fault("any", Fault("502-html"))
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("No key was created.")
    expect(dialog.get_by_label("Label")).to_have_value("half done")
    assert [key.label for key in member.account.keys.values()] == ["console"]


def test_a_key_whose_token_was_lost_is_in_the_list_behind_the_dialog(
    console: Console, page: Page
) -> None:
    dialog = filled_dialog(page)
    console.node.set_fault("create", Fault("reset-after", times=1))
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_text("its token was lost", exact=False).first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("table")).to_contain_text("half done")


def test_an_outdated_page_is_renewed_in_place(page: Page, member: Member) -> None:
    dialog = filled_dialog(page)
    other = page.context.new_page()
    other.context.clear_cookies()
    sign_in(other, member)
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("so nothing was sent")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_label("Token", exact=True)).to_be_visible()
    assert [key.label for key in member.account.keys.values()] == ["console", "half done"]
