"""A token is in one field once, and on the clipboard when the member copies it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Error, Page, Request, expect

from keys.upstream import hash_of
from tests.browser.conftest import Member, sign_in

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]

#: Everything that a page can read from the browser.
TRACES = """async () => {
  const names = await caches.keys();
  const databases = await indexedDB.databases();
  const asked = performance.getEntries().map((it) => it.name);
  return JSON.stringify([{...localStorage}, {...sessionStorage}, names, databases, asked,
                         document.cookie, history.state, location.href]);
}"""


@pytest.fixture
def page(open_page: OpenPage, member: Member) -> Page:
    page = open_page()
    sign_in(page, member)
    return page


def create(page: Page, label: str, member: Member) -> str:
    page.goto("/keys/new/")
    page.get_by_label("Label").fill(label)
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    return list(member.account.keys)[-1]


def urls_of(page: Page) -> list[str]:
    seen: list[str] = []

    def note(request: Request) -> None:
        seen.append(f"{request.url} {request.post_data or ''}")

    page.on("request", note)
    return seen


def test_back_after_creating_shows_no_token(page: Page, member: Member) -> None:
    token = create(page, "seen once", member)
    page.get_by_role("button", name="Copy", exact=True).first.click()
    page.get_by_role("link", name="I have saved it").click()
    page.wait_for_url("**/keys/?new=*")
    page.go_back()
    expect(page.get_by_role("heading", name="New key")).to_be_visible()
    assert token not in page.content()
    assert token not in str(
        page.evaluate("[...document.querySelectorAll('input')].map((i) => i.value)")
    )
    page.go_forward()
    assert token not in page.content()


def test_back_after_creating_without_scripts_shows_no_token(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page(java_script_enabled=False)
    sign_in(page, member)
    token = create(page, "seen once", member)
    page.get_by_role("link", name="I have saved it").click()
    page.wait_for_url("**/keys/?new=*")
    # Nothing was stored, so the browser offers to send the form again.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    expect(page.get_by_label("Token")).to_have_count(0)
    expect(page.locator("html")).not_to_contain_text(token)


def test_the_browser_keeps_no_token(page: Page, member: Member) -> None:
    token = create(page, "traceless", member)
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("button", name="Copy", exact=True).first.click()
    assert token not in page.evaluate(TRACES)
    page.get_by_role("link", name="I have saved it").click()
    page.wait_for_url("**/keys/?new=*")
    assert token not in page.evaluate(TRACES)
    assert token not in str(page.context.storage_state(indexed_db=True))


def test_leaving_uncopied_asks_once(page: Page, member: Member) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    create(page, "uncopied", member)
    page.on("dialog", stay)
    page.get_by_role("link", name="Stats").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    page.get_by_role("link", name="Stats").click()
    page.wait_for_url("**/stats/")
    assert asked == ["beforeunload"]


def test_leaving_copied_or_saved_asks_nothing(page: Page, member: Member) -> None:
    page.on("dialog", lambda dialog: pytest.fail(dialog.type))
    create(page, "copied", member)
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    page.get_by_role("link", name="Stats").click()
    page.wait_for_url("**/stats/")
    create(page, "saved", member)
    page.get_by_role("link", name="I have saved it").click()
    page.wait_for_url("**/keys/?new=*")


def test_without_the_clipboard_the_token_is_selected_with_a_notice(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page(clipboard=False)
    page.add_init_script("delete Navigator.prototype.clipboard")
    sign_in(page, member)
    token = create(page, "by hand", member)
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.locator("#created-fallback")).to_contain_text("The text is selected: press Ctrl+C.")
    expect(page.get_by_role("status").filter(has_text="press Ctrl+C")).not_to_have_count(0)
    assert page.evaluate("getSelection().toString()") == token
    page.keyboard.press("Control+C")
    expect(page.get_by_role("status").filter(has_text="Copied")).not_to_have_count(0)
    page.get_by_role("link", name="Stats").click()
    page.wait_for_url("**/stats/")


def test_snippets_are_copied_with_the_token_filled_in(page: Page, member: Member) -> None:
    token = create(page, "snippet", member)
    assert token not in str(page.locator("pre").all_text_contents())
    page.get_by_role("button", name="Copy", exact=True).last.click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"ESTUARY_TOKEN={token}"


def test_a_token_pasted_into_the_search_becomes_its_fingerprint(page: Page, member: Member) -> None:
    token, seen = list(member.account.keys)[-1], urls_of(page)
    page.evaluate("(text) => navigator.clipboard.writeText(text)", f" {token}\n")
    field = page.get_by_role("searchbox")
    field.focus()
    page.keyboard.press("Control+V")
    expect(field).to_have_value(hash_of(token)[:8])
    expect(page.locator("#notices")).to_contain_text("That was a whole token. It was not sent")
    page.wait_for_url(f"**/keys/?q={hash_of(token)[:8]}")
    expect(page.get_by_role("table")).to_contain_text("console")
    assert token[3:11] not in str(seen)
    assert token not in page.evaluate(TRACES)


@pytest.mark.parametrize("delay", [0, 30])
def test_a_token_typed_into_the_search_is_never_sent(
    page: Page, member: Member, delay: float
) -> None:
    token, seen = list(member.account.keys)[-1], urls_of(page)
    field = page.get_by_role("searchbox")
    field.press_sequentially(token[:20], delay=delay)
    field.press("Enter")
    page.wait_for_timeout(400)
    expect(page.get_by_role("status").filter(has_text="waits until it is whole")).to_have_count(1)
    assert token[3:11] not in str(seen)
    field.press_sequentially(token[20:], delay=delay)
    expect(field).to_have_value(hash_of(token)[:8])
    page.wait_for_url(f"**/keys/?q={hash_of(token)[:8]}")
    assert token[3:11] not in str(seen)


def test_a_label_that_only_starts_like_a_token_is_searched(page: Page) -> None:
    page.get_by_role("searchbox").fill("ESTIMATES-2026-SUMMARY")
    page.wait_for_url("**/keys/?q=ESTIMATES-2026-SUMMARY")
