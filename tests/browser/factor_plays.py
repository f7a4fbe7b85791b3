"""Bring a page into the states of sign-in security."""

from __future__ import annotations

from types import SimpleNamespace

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from estuary_admin.security.factor_forms import CodeForm
from estuary_admin.security.password_forms import PasswordForm
from tests.browser.plays import Play, rendered
from tests.browser.stage import Stage
from tests.support.console import PASSWORD

SECURITY = "/accounts/security/"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def have_a_passkey(page: Page) -> None:
    page.goto(SECURITY)
    if page.get_by_role("link", name="Rename").count():
        return
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page.goto(f"{SECURITY}passkeys/add/")
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url(f"**{SECURITY}codes/")


def with_a_passkey(path: str = "", follow: str = "") -> Play:
    """A page of a member who has a passkey and recovery codes."""

    def play(_: Stage, page: Page) -> None:
        have_a_passkey(page)
        page.goto(f"{SECURITY}{path}")
        if follow:
            page.get_by_role("link", name=follow).first.click()
            expect(page.get_by_role("main").get_by_role("button").first).to_be_visible()

    return play


def second_factor(_: Stage, page: Page) -> None:
    have_a_passkey(page)
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("keeper")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()


def confirmation(stage: Stage, page: Page) -> None:
    """Show the confirmation page: the stage itself asks for no proof."""
    who = User(username="alice")
    rendered(
        "account/reauthenticate.html",
        methods=SimpleNamespace(factors=True, password=True),
        password_form=PasswordForm(user=who),
        password_first=True,
        code_form=CodeForm(user=who),
    )(stage, page)
