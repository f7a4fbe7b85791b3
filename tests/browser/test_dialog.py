"""Creating and revoking in a dialog: focus, Escape, the backdrop, and the token in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from keys.sandbox import Fault
from keys.upstream import hash_of
from tests.browser.conftest import Member, settled, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


@pytest.fixture
def page(open_page: OpenPage, member: Member) -> Page:
    page = open_page()
    sign_in(page, member)
    return page


@pytest.fixture
def dialog(page: Page) -> Locator:
    """The dialog for a new key, open."""
    page.get_by_role("link", name="New key").click()
    dialog = page.get_by_role("dialog", name="New key")
    expect(dialog).to_be_visible()
    settled(page)
    return page.get_by_role("dialog")


def create(dialog: Locator, label: str) -> None:
    dialog.get_by_label("Label").fill(label)
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_label("Token", exact=True)).to_be_visible()


def labels(member: Member) -> list[str]:
    return [key.label for key in member.account.keys.values()]


def revoke_link(page: Page, label: str) -> Locator:
    return page.get_by_role("row").filter(has_text=label).get_by_role("link", name="Revoke")


def click_beside(page: Page) -> None:
    page.mouse.click(5, 400)


def test_focus_enters_the_dialog_stays_and_returns(page: Page, dialog: Locator) -> None:
    expect(dialog.get_by_label("Label")).to_be_focused()
    for _ in range(25):
        page.keyboard.press("Tab")
        where = (
            "document.activeElement.closest('dialog') || document.activeElement === document.body"
        )
        assert page.evaluate(f"Boolean({where})")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="New key")).to_be_focused()


def test_a_key_is_created_copied_and_found_in_the_list(
    page: Page, dialog: Locator, member: Member
) -> None:
    create(dialog, "from a dialog")
    expect(dialog.get_by_role("heading", name="Copy the token")).to_be_focused()
    assert page.url.endswith("/keys/")
    dialog.get_by_role("button", name="Copy", exact=True).first.click()
    expect(dialog.get_by_role("status").filter(has_text="Copied")).not_to_have_count(0)
    assert page.evaluate("navigator.clipboard.readText()") == list(member.account.keys)[-1]
    dialog.get_by_role("link", name="I have saved it").click()
    expect(page.get_by_role("row").filter(has_text="from a dialog")).to_contain_text("New")


def close(page: Page, by: str) -> None:
    dialog = page.get_by_role("dialog")
    if by == "Escape":
        page.keyboard.press("Escape")
    elif by == "beside":
        click_beside(page)
    elif by == "Close":
        # A warning covers the button, and is no reason not to press it.
        dialog.get_by_role("button", name="Close").dispatch_event("click")
    else:
        dialog.get_by_role("link", name="Cancel").click()


WAYS = ["Escape", "beside", "Close"]


@pytest.mark.parametrize("by", [*WAYS, "Cancel"])
def test_what_was_typed_is_never_lost_without_a_question(
    page: Page, dialog: Locator, by: str
) -> None:
    dialog.get_by_label("Label").fill("half typed")
    for _ in range(2):
        close(page, by)
        expect(dialog.get_by_text("What you typed is not saved.")).to_be_visible()
        expect(dialog.get_by_label("Label")).to_have_value("half typed")
        dialog.get_by_role("button", name="Dismiss").click()  # which arms the guard again
    close(page, by)
    close(page, by)
    expect(dialog).to_be_hidden()


def test_a_form_that_came_back_with_errors_is_not_lost_without_a_question(
    page: Page, dialog: Locator
) -> None:
    dialog.get_by_label("Label").fill("odd lifetime")
    dialog.get_by_text("Custom", exact=True).click()
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog.get_by_text("What you typed is not saved.")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "field"),
    [("new/", "Label"), ("new/", "Purpose"), ("new/many/", "Labels"), ("note/", "Purpose")],
)
def test_what_was_typed_is_not_lost_on_a_page_either(
    page: Page, member: Member, path: str, field: str
) -> None:
    key = f"{hash_of(member.token)}/" if path == "note/" else ""
    page.goto(f"/keys/{key}{path}")
    page.get_by_label(field).fill("typed")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_label(field)).to_have_value("typed")
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("by", WAYS)
def test_a_copied_token_is_left_without_a_question(page: Page, dialog: Locator, by: str) -> None:
    create(dialog, "copied")
    dialog.get_by_role("button", name="Copy", exact=True).first.click()
    expect(dialog.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    close(page, by)
    expect(page.get_by_role("row").filter(has_text="copied")).to_contain_text("New")


def test_the_title_follows_what_the_dialog_shows(page: Page, dialog: Locator) -> None:
    create(dialog, "titled")
    expect(page.get_by_role("dialog", name="Key created")).to_be_visible()


def test_nothing_moves_when_a_warning_comes(page: Page, dialog: Locator) -> None:
    create(dialog, "still")
    place = dialog.get_by_label("Token", exact=True).bounding_box()
    page.keyboard.press("Escape")
    expect(dialog.get_by_text("You have not copied the token")).to_be_visible()
    assert dialog.get_by_label("Token", exact=True).bounding_box() == place


def test_a_click_on_the_backdrop_closes_an_untouched_dialog(page: Page, dialog: Locator) -> None:
    click_beside(page)
    expect(dialog).to_be_hidden()


def test_two_clicks_open_it_once_and_leave_it_open(page: Page) -> None:
    page.get_by_role("link", name="New key").hover()
    page.mouse.down()
    page.mouse.up()
    dialog = page.get_by_role("dialog", name="New key")
    expect(dialog).to_be_visible()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    expect(dialog.get_by_label("Label")).to_be_focused()
    click_beside(page)
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("by", WAYS)
def test_closing_on_an_uncopied_token_asks_each_time(
    page: Page, dialog: Locator, member: Member, by: str
) -> None:
    create(dialog, "not copied")
    token = list(member.account.keys)[-1]
    for _ in range(2):
        close(page, by)
        expect(dialog.get_by_text("You have not copied the token")).to_be_visible()
        expect(dialog.get_by_label("Token", exact=True)).to_be_visible()
        dialog.get_by_role("button", name="Dismiss").click()
    close(page, by)
    close(page, by)
    expect(page.get_by_role("row").filter(has_text="not copied")).to_contain_text("New")
    assert token not in page.content()


def test_the_warning_offers_to_leave(page: Page, dialog: Locator) -> None:
    dialog.get_by_label("Label").fill("half typed")
    click_beside(page)
    dialog.get_by_role("link", name="Leave without it").click()
    expect(dialog).to_be_hidden()


def test_copying_takes_back_the_warning(page: Page, dialog: Locator) -> None:
    create(dialog, "warned")
    page.keyboard.press("Escape")
    warning = dialog.get_by_text("You have not copied the token")
    expect(warning).to_be_visible()
    dialog.get_by_role("button", name="Copy", exact=True).first.click()
    expect(warning).to_be_hidden()


def test_the_dialog_shows_errors_and_keeps_the_text(page: Page, dialog: Locator) -> None:
    dialog.get_by_label("Label").fill("odd lifetime")
    dialog.get_by_text("Custom", exact=True).click()
    dialog.get_by_label("Custom lifetime").fill("soon")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not a length of time")
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.get_by_label("Label")).to_have_value("odd lifetime")
    dialog.get_by_label("Custom lifetime").fill("2w 1d")  # as the error advises
    expect(dialog.get_by_text("valid for 15 days, until")).to_be_visible()


@pytest.mark.parametrize("latency", [0.02, 1.0])
@pytest.mark.parametrize("by", ["click", "Enter"])
def test_submitting_twice_in_the_dialog_creates_one_key(
    console: Console, page: Page, dialog: Locator, member: Member, by: str, latency: float
) -> None:
    console.node.set_fault("create", Fault("delay", seconds=latency, times=1))
    dialog.get_by_label("Label").fill("twice")
    if by == "click":
        dialog.get_by_role("button", name="Create key").dblclick()
    else:
        dialog.get_by_label("Label").press("Enter")
        page.keyboard.press("Enter")
    expect(dialog.get_by_label("Token", exact=True)).to_be_visible()
    assert labels(member) == ["console", "twice"]


def test_revoking_asks_in_a_dialog_and_never_preselects_the_danger(
    console: Console, page: Page, member: Member
) -> None:
    console.node.add_key(member.account, "doomed")
    page.reload()
    revoke_link(page, "doomed").click()
    dialog = page.get_by_role("dialog", name="Revoke key")
    expect(dialog.get_by_role("heading", name="Revoke key")).to_be_focused()
    expect(dialog).to_contain_text("doomed")
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(revoke_link(page, "doomed")).to_be_focused()
    assert labels(member) == ["console", "doomed"]

    revoke_link(page, "doomed").click()
    dialog.get_by_role("button", name="Revoke key").click()
    expect(page.locator("#notices")).to_contain_text("Revoked “doomed”")
    assert labels(member) == ["console"]


@pytest.mark.parametrize("latency", [0.02, 1.0])
def test_revoking_twice_in_the_dialog_revokes_once(
    console: Console, page: Page, member: Member, latency: float
) -> None:
    console.node.add_key(member.account, "doomed")
    page.reload()
    console.node.set_fault("revoke", Fault("delay", seconds=latency, times=1))
    console.node.forget_requests()
    revoke_link(page, "doomed").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke key").dblclick()
    expect(page.locator("#notices")).to_contain_text("Revoked “doomed”")
    assert [one.method for one in console.node.requests].count("DELETE") == 1


def test_two_tabs_may_revoke_the_same_key(console: Console, page: Page, member: Member) -> None:
    console.node.add_key(member.account, "shared")
    page.reload()
    other = page.context.new_page()
    other.goto("/keys/")
    for tab in (page, other):
        revoke_link(tab, "shared").click()
    for tab, news in ((page, "Revoked “shared”"), (other, "was already gone")):
        tab.get_by_role("dialog").get_by_role("button", name="Revoke key").click()
        expect(tab.locator("#notices")).to_contain_text(news)
    assert labels(member) == ["console"]


def test_two_tabs_create_two_keys(page: Page, member: Member) -> None:
    other = page.context.new_page()
    other.goto("/keys/")
    for number, tab in enumerate((page, other)):
        tab.get_by_role("link", name="New key").click()
        create(tab.get_by_role("dialog"), f"tab {number}")
        tab.get_by_role("button", name="Copy", exact=True).first.click()
    assert labels(member) == ["console", "tab 0", "tab 1"]
