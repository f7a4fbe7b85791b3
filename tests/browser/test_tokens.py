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
    expect(page.locator(".htmx-added, .htmx-settling")).to_have_count(0)
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
    page.wait_for_url("**/keys/")
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
    page.wait_for_url("**/keys/")
    assert token not in page.evaluate(TRACES)
    assert token not in str(page.context.storage_state(indexed_db=True))


def test_leaving_uncopied_asks_each_time(page: Page, member: Member) -> None:
    answers = ["stay", "stay", "leave"]

    def answer(dialog: Dialog) -> None:
        assert dialog.type == "beforeunload"
        if answers.pop(0) == "stay":
            dialog.dismiss()
        else:
            dialog.accept()

    create(page, "uncopied", member)
    page.on("dialog", answer)
    for left in (2, 1):
        page.get_by_role("link", name="Stats").click()
        expect(page.get_by_label("Token", exact=True)).to_be_visible()
        assert len(answers) == left
    page.get_by_role("link", name="Stats").click()
    page.wait_for_url("**/stats/")
    assert answers == []


def test_only_copying_makes_leaving_the_primary_action(page: Page, member: Member) -> None:
    create(page, "coloured", member)
    saved, copy = (
        page.get_by_role("link", name="I have saved it"),
        page.get_by_role("button", name="Copy", exact=True).first,
    )
    colour = "(it) => getComputedStyle(it).backgroundColor"
    primary = copy.evaluate(colour)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("link", name="Stats").click()
    page.get_by_role("button", name="Show", exact=True).click()
    assert saved.evaluate(colour) != primary
    copy.click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert saved.evaluate(colour) == primary


def test_the_address_of_the_list_does_not_keep_the_new_key(page: Page, member: Member) -> None:
    create(page, "marked once", member)
    page.get_by_role("link", name="I have saved it").click()
    page.wait_for_url("**/keys/")
    expect(page.get_by_role("row").filter(has_text="marked once")).to_contain_text("New")
    page.reload()
    expect(page.get_by_role("row").filter(has_text="marked once")).not_to_contain_text("New")


def test_nothing_moves_when_copy_becomes_copied(page: Page, member: Member) -> None:
    create(page, "still", member)
    for number in (0, 1):
        button = page.locator("[data-copied]:visible").nth(number)
        before = button.bounding_box()
        button.click()
        expect(button).to_have_text("Copied")
        assert button.bounding_box() == before


def test_nothing_moves_when_another_snippet_is_chosen(page: Page, member: Member) -> None:
    create(page, "tabs", member)
    place = page.locator(".tabs").bounding_box()
    for name in ("Kubernetes", "1Password", "Docker"):
        page.get_by_text(name, exact=True).click()
        expect(page.locator(".tabs pre:visible")).to_have_count(1)
        assert page.locator(".tabs").bounding_box() == place


def test_a_page_from_the_back_forward_cache_shows_no_token(page: Page, member: Member) -> None:
    token = create(page, "restored", member)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert token not in page.content()
    assert page.evaluate("document.querySelector('#created-token').value") == ""
    assert page.locator(".qr svg").count() == 0
    expect(page.locator("body")).to_be_hidden()
    page.evaluate("document.querySelector('[data-uncopied]').removeAttribute('data-uncopied')")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(page.get_by_role("button", name="Create key")).to_be_visible()


def test_a_page_restored_after_sign_out_leads_to_the_sign_in(page: Page, member: Member) -> None:
    expect(page.get_by_role("table")).to_be_visible()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    expect(page.locator("body")).to_be_hidden()
    page.context.clear_cookies()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.wait_for_url("**/accounts/login/**")


def test_leaving_copied_or_saved_asks_nothing(page: Page, member: Member) -> None:
    page.on("dialog", lambda dialog: pytest.fail(dialog.type))
    create(page, "copied", member)
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    page.get_by_role("link", name="Stats").click()
    page.wait_for_url("**/stats/")
    create(page, "saved", member)
    page.get_by_role("link", name="I have saved it").click()
    page.wait_for_url("**/keys/")


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


def test_without_the_clipboard_a_snippet_tells_that_only_its_token_is_selected(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page(clipboard=False)
    page.add_init_script("delete Navigator.prototype.clipboard")
    sign_in(page, member)
    token = create(page, "by hand", member)
    page.locator(".snippet:visible").get_by_role("button").click()
    told = page.locator("#created-fallback")
    expect(told).to_contain_text("Only the token is selected: press Ctrl+C, then put it into")
    expect(told).to_be_in_viewport()
    assert page.evaluate("getSelection().toString()") == token
    page.once("dialog", lambda dialog: dialog.accept())


def test_without_the_clipboard_other_pages_tell_it_visibly_too(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page(clipboard=False)
    page.add_init_script("delete Navigator.prototype.clipboard")
    sign_in(page, member)
    whole = hash_of(list(member.account.keys)[-1])
    page.goto(f"/keys/{whole}/")
    page.get_by_role("button", name="Copy token hash").click()
    told = page.locator("#notices").get_by_text("The text is selected: press Ctrl+C.")
    expect(told).to_be_in_viewport()
    assert page.evaluate("getSelection().toString()") == whole


def test_snippets_are_copied_with_the_token_filled_in(page: Page, member: Member) -> None:
    token = create(page, "EST…ARY", member)
    assert token not in str(page.locator("pre").all_text_contents())
    copied = {}
    for name in (".env", "Try it", "Upload", "GitHub", "Kubernetes", "1Password", "Docker"):
        page.get_by_text(name, exact=True).click()
        page.locator(".snippet:visible").get_by_role("button").click()
        expect(page.locator(".snippet:visible").get_by_text("Copied", exact=True)).to_be_visible()
        copied[name] = page.evaluate("navigator.clipboard.readText()")
    assert copied.pop(".env") == f"ESTUARY_TOKEN={token}"
    assert [text.count(f"'{token}'") for text in copied.values()] == [1, 1, 1, 1, 0, 1]
    # The label, which looks like the placeholder, stays what it is.
    assert '"title":"EST…ARY"' in copied["1Password"]
    assert copied["1Password"].count(token) == 1
    assert token not in str(page.locator("pre").all_text_contents())


def test_snippets_are_chosen_with_the_keyboard(page: Page, member: Member) -> None:
    create(page, "keys", member)
    page.get_by_role("radio", name=".env").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Try it")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Try it")).to_be_focused()


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


def test_without_https_a_token_in_the_search_is_sent_nowhere_and_find_is_offered(
    page: Page, member: Member
) -> None:
    token, seen = list(member.account.keys)[-1], urls_of(page)
    page.add_init_script("Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined })")
    page.goto("/keys/")
    field = page.get_by_role("searchbox")
    field.fill(token)
    told = page.locator("#notices")
    expect(told).to_contain_text("That was a whole token. It was not sent")
    expect(field).to_have_value("")
    page.wait_for_timeout(400)
    told.get_by_role("link", name="Paste it there").click()
    page.wait_for_url("**/keys/find/")
    page.get_by_label("Token, fingerprint or text around one").fill(token)
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".finding")).to_contain_text("console")
    assert token[3:11] not in str(seen)


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
