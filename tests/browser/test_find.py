"""A pasted token is hashed in the browser, and sent only when the member asks Estuary about it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Request, expect

from keys.api_keys.pasted import keys_in
from keys.upstream import hash_of
from tests.browser.conftest import Member, settled, sign_in
from tests.browser.test_tokens import TRACES
from tests.keys.api_keys.test_pasted import TEXTS_WITH_BOTH, TEXTS_WITH_ONE, TEXTS_WITHOUT

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
OTHER = "EST11111111-1111-4111-8111-111111111111ARY"
#: As often as one member may within a minute.
LOOK_UP_OFTEN = """async (text) => {
  const form = document.querySelector("[data-hash-tokens]");
  for (let n = 0; n < 30; n += 1) {
    const body = new URLSearchParams(new FormData(form));
    body.set("text", text);
    await fetch(form.action, { method: "POST", body });
  }
}"""
WITHOUT_SUBTLE = "Object.defineProperty(crypto, 'subtle', { value: undefined })"


def sent_by(page: Page) -> list[str]:
    """The text that each search sends."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/keys/find/"):
            seen.extend(parse_qs(request.post_data or "").get("text", []))

    page.on("request", note)
    return seen


def find(page: Page, text: str) -> None:
    page.goto("/keys/find/")
    page.get_by_label("Token, fingerprint").fill(text)
    page.get_by_role("button", name="Find", exact=True).click()


@pytest.mark.parametrize("script", ["", WITHOUT_SUBTLE])
def test_only_hashes_are_sent(open_page: OpenPage, member: Member, script: str) -> None:
    page = open_page()
    page.add_init_script(script)
    sign_in(page, member)
    sent = sent_by(page)

    find(page, f"2026-11-28 secret line, Bearer {member.token}\nNEXT={OTHER}\n")

    expect(page.get_by_role("heading", name="Yours: console")).to_be_visible()
    assert [text.split() for text in sent] == [[hash_of(member.token), hash_of(OTHER)]]
    expect(page.get_by_label("Token, fingerprint")).to_have_value("")
    assert member.token not in page.content()
    assert member.token not in page.evaluate(TRACES)


def test_the_browser_finds_the_same_keys_as_the_console(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    sign_in(page, member)
    sent = sent_by(page)
    page.goto("/keys/find/")
    page.route("**/keys/find/", lambda route: route.fulfill(status=204))

    for text in TEXTS_WITH_ONE + TEXTS_WITH_BOTH + list(filter(None, TEXTS_WITHOUT)):
        with page.expect_request("**/keys/find/"):
            page.get_by_label("Token, fingerprint").fill(text)
            page.get_by_role("button", name="Find", exact=True).click()
        found = keys_in(text)
        assert sent.pop().split() == (list(found.hashes) or [found.fingerprint or "…"]), text


def test_text_without_a_token_is_not_sent(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    sign_in(page, member)
    sent = sent_by(page)

    find(page, "a line with a password: hunter2")

    expect(page.get_by_role("alert")).to_contain_text("There is no token")
    assert sent == ["…"]


def test_estuary_is_asked_without_pasting_the_token_again(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    sign_in(page, member)
    sent = sent_by(page)
    find(page, f"{member.token}\n{OTHER}")
    yours = page.locator(".finding").filter(has_text="Yours: console")

    yours.get_by_role("button", name="Ask Estuary whether it works").click()

    expect(yours).to_contain_text("Estuary accepts it, with full access")
    expect(yours).to_be_focused()  # the button is gone
    expect(page.locator("#spoken")).to_contain_text("Estuary accepts it, with full access")
    assert sent[1:] == [member.token]
    expect(page.locator(".finding")).to_have_count(2)
    assert member.token not in page.content()


@pytest.mark.parametrize("with_scripts", [True, False])
def test_a_result_stays_when_the_wrong_text_is_pasted_to_ask_about_it(
    open_page: OpenPage, member: Member, with_scripts: bool
) -> None:
    page = open_page(java_script_enabled=with_scripts)
    sign_in(page, member)
    find(page, hash_of(member.token)[:8])
    yours = page.locator(".finding").filter(has_text="Yours: console")
    yours.get_by_label("The token again").fill("hunter2, a password")

    yours.get_by_role("button", name="Ask Estuary whether it works").click()

    expect(yours.get_by_role("alert")).to_contain_text("Estuary was not asked")
    expect(yours.get_by_role("alert")).to_be_focused()
    expect(yours.get_by_role("link", name="Revoke now")).to_be_visible()
    yours.get_by_label("The token again").fill(member.token)
    yours.get_by_role("button", name="Ask Estuary whether it works").click()
    expect(yours).to_contain_text("Estuary accepts it, with full access")


def test_a_result_stays_when_estuary_is_asked_too_often(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    sign_in(page, member)
    find(page, member.token)
    yours = page.locator(".finding").filter(has_text="Yours: console")
    expect(yours).to_be_visible()
    settled(page)
    page.evaluate(LOOK_UP_OFTEN, hash_of(member.token))

    yours.get_by_role("button", name="Ask Estuary whether it works").click()

    trouble = page.locator("#notices").get_by_role("alert")
    expect(trouble).to_contain_text("Estuary was not asked. You did this")
    expect(trouble).to_be_focused()
    expect(yours.get_by_role("link", name="Revoke now")).to_be_visible()


def test_finding_and_asking_work_without_scripts(open_page: OpenPage, member: Member) -> None:
    page = open_page(java_script_enabled=False)
    sign_in(page, member)

    find(page, f"T={member.token}")

    expect(page.get_by_role("heading", name="Yours: console")).to_be_visible()
    expect(page.get_by_label("Token, fingerprint")).to_have_value("")
    page.get_by_label("The token again").fill(member.token)
    page.get_by_role("button", name="Ask Estuary whether it works").click()
    expect(page.locator(".finding")).to_contain_text("Estuary accepts it, with full access")


def test_a_leaked_key_is_revoked_by_keyboard(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    sign_in(page, member)
    page.keyboard.press("f")
    page.wait_for_url("**/keys/find/")
    page.get_by_label("Token, fingerprint").focus()
    page.keyboard.insert_text(member.token)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Revoke now")
    expect(link).to_be_visible()
    settled(page)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Incident note")).to_be_visible()
