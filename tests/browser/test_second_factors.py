"""Second factors and fresh proofs, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Member, sign_in
from tests.estuary_admin.security.conftest import code_of
from tests.support.console import PASSWORD, Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
SECURITY = "/accounts/security/"


def add_an_app(page: Page) -> tuple[str, list[str]]:
    """Add one from the account page; its key, and the recovery codes that come with it."""
    page.goto("/account/")
    page.get_by_role("link", name="Passkeys and codes").click()
    page.get_by_role("link", name="Add an app").click()
    secret = page.locator(".setup-key").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Add the app").click()
    codes = page.locator(".recovery-codes code").all_inner_texts()
    page.get_by_role("link", name="I have saved them").click()
    return secret, codes


def type_password(page: Page, member: Member) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(member.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def give_code(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Confirm with the code").click()


def authenticator_of(page: Page, **options: Any) -> tuple[CDPSession, str]:
    """An authenticator that always verifies the user."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    kind = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    found = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, **options}})
    return devtools, found["authenticatorId"]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_member_signs_in_with_an_app_and_with_a_recovery_code(
    open_page: OpenPage, member: Member, scripts: bool
) -> None:
    page = open_page(java_script_enabled=scripts)
    sign_in(page, member)
    secret, codes = add_an_app(page)
    assert len(codes) == 10
    page.goto(f"{SECURITY}passkeys/add/")
    expect(page.get_by_text("A passkey needs scripts")).to_be_visible(visible=not scripts)
    expect(page.get_by_role("button", name="Add the passkey")).to_be_visible(visible=scripts)

    by_app, by_recovery = (open_page(java_script_enabled=scripts) for _ in range(2))
    type_password(by_app, member)
    expect(by_app.get_by_role("heading", name="Your second factor")).to_be_visible()
    give_code(by_app, "000000")
    expect(by_app.get_by_role("alert")).to_contain_text("This code is not valid")
    give_code(by_app, code_of(secret, 1))  # the first one was used to add the app
    by_app.wait_for_url("**/keys/")

    type_password(by_recovery, member)
    give_code(by_recovery, codes[4])
    by_recovery.wait_for_url("**/keys/")


def test_a_passkey_is_added_and_signs_in_alone(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    devtools, device = authenticator_of(page)
    sign_in(page, member)
    page.goto(SECURITY)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/accounts/security/codes/")
    page.goto(SECURITY)
    expect(page.get_by_role("main")).to_contain_text("Laptop")

    page.context.clear_cookies()
    page.goto("/accounts/login/?next=/stats/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda url: url.endswith("/stats/") and "login" not in url)
    page.context.clear_cookies()
    type_password(page, member)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/keys/")

    page.goto(f"{SECURITY}passkeys/add/")  # the device says that it has one already
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.locator("#notices")).to_contain_text("already has a passkey for this account")
    devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})
    page.goto(SECURITY)
    page.get_by_role("link", name="Remove Laptop").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.locator("#notices")).to_contain_text("is removed")


def test_a_wrong_fingerprint_adds_no_passkey(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    authenticator_of(page, isUserVerified=False)
    sign_in(page, member)
    page.goto(f"{SECURITY}passkeys/add/")
    page.get_by_role("button", name="Add the passkey").click()

    expect(page.locator("#notices")).to_contain_text("No passkey was used")


def test_a_passkey_gives_a_fresh_proof(
    console: Console, open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    authenticator_of(page)
    sign_in(page, member)
    page.goto(f"{SECURITY}passkeys/add/")
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/accounts/security/codes/")
    console.age_proofs()

    page.goto("/keys/?status=active")
    page.get_by_role(
        "link", name="New key"
    ).click()  # would open a dialog, but the proof comes first
    page.wait_for_url("**/accounts/reauthenticate/?next=*")
    page.get_by_role("link", name="Not now").click()
    page.wait_for_url("**/keys/?status=active")
    page.get_by_role("link", name="New key").click()
    page.get_by_role("button", name="Confirm with a passkey").click()

    expect(page.get_by_role("dialog").get_by_label("Label")).to_be_focused()
    page.wait_for_url("**/keys/?status=active")


def test_a_form_in_a_dialog_is_filled_in_after_the_proof(
    console: Console, open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    sign_in(page, member)
    page.get_by_role("link", name="New key").click()
    dialog = page.get_by_role("dialog", name="New key")
    dialog.get_by_label("Label").fill("typed before")
    dialog.get_by_text("90 days", exact=True).click()
    console.age_proofs()
    dialog.get_by_role("button", name="Create key").click()

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm with the password").click()
    page.wait_for_url("**/keys/new/")
    expect(page.locator("#notices")).to_contain_text("Nothing has been changed yet")
    expect(page.get_by_label("Label")).to_have_value("typed before")
    expect(page.get_by_label("90 days")).to_be_checked()
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    assert [key.label for key in member.account.keys.values()] == ["console", "typed before"]


@pytest.mark.parametrize("is_phone", [False, True])
def test_the_proof_works_without_scripts_and_keeps_a_pasted_key(
    console: Console,
    open_page: OpenPage,
    newcomer: Member,
    phone: dict[str, Any],
    is_phone: bool,
) -> None:
    page = open_page(java_script_enabled=False, **(phone if is_phone else {}))
    sign_in(page, newcomer)
    console.age_proofs()
    page.get_by_label("Token of your Estuary key").fill(newcomer.token)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    assert newcomer.token not in page.content() + page.url
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Confirm with the password").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm with the password").click()

    expect(page.get_by_role("main")).to_contain_text("is kept here, sealed")
    assert newcomer.token not in page.content()
    page.get_by_role("button", name="Connect").click()
    page.wait_for_url("**/keys/")


def test_one_browser_ends_the_session_of_another(open_page: OpenPage, member: Member) -> None:
    here, there = open_page(), open_page(java_script_enabled=False)
    sign_in(here, member)
    sign_in(there, member)
    here.goto("/account/")
    here.get_by_role("button", name="End this session").click()
    expect(here.locator("#notices")).to_contain_text("Ended the session of Chrome on Linux")

    there.get_by_role("link", name="Stats").click()

    there.wait_for_url("**/accounts/login/**")


def test_a_password_can_be_shown_and_is_hidden_again_when_it_is_sent(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(member.name)
    field = page.locator("[name=password]")
    field.fill(PASSWORD)
    page.get_by_role("button", name="Show Password").click()
    expect(field).to_have_attribute("type", "text")
    page.evaluate(
        "addEventListener('submit', (event) => { event.preventDefault();"
        " window.sent = document.querySelector('[name=password]').type; })"
    )
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert page.evaluate("window.sent") == "password"
