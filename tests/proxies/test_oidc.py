"""A browser signs in at a real OpenID provider, without a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox import Sandbox
from tests.proxies.provider import Provider
from tests.support.console import Console

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider"), "--require-nonce", "true") as provider:
        yield provider


@pytest.fixture(scope="module")
def console(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    sso = {
        "SSO_MODE": "oidc",
        "SSO_OIDC_ISSUER": provider.url,
        "SSO_OIDC_CLIENT_ID": "console",
        "SSO_OIDC_CLIENT_SECRET": "anything",
        "SSO_OIDC_NAME": "Corp",
        "SSO_GROUPS_CLAIM": "groups",
        "SSO_ADMIN_GROUPS": "admins",
    }
    folder = tmp_path_factory.mktemp("oidc")
    with (
        Sandbox(rate_limit=None) as node,
        Console(folder, node, [], environment=sso) as running,
    ):
        yield running


def enter(page: Page, sub: str, to: str = "/account/") -> None:
    page.goto(to)
    page.get_by_role("button", name="Sign in with Corp").click()
    page.get_by_placeholder("sub").fill(sub)
    page.get_by_role("button", name="Authorize").click()


def leave(page: Page) -> None:
    page.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    page.wait_for_url("**/accounts/signed-out/everywhere/")


def test_a_member_signs_in_works_changes_role_and_signs_out(
    console: Console, provider: Provider, open_page: Callable[..., Page]
) -> None:
    provider.knows("uid-root", preferred_username="root", groups=["admins"])
    enter(open_page(), "uid-root")
    provider.knows("uid-alice", preferred_username="Alice", groups=["admins"])
    page = open_page()
    enter(page, "uid-alice")
    expect(page.get_by_text("Signed in as alice, admin.")).to_be_visible()

    page.goto("/account/token/")
    account = console.node.add_user("alice")
    page.get_by_label("Token of your Estuary key").fill(
        console.node.add_key(account, label="console")
    )
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("table")).to_contain_text("console")

    leave(page)
    expect(page.get_by_text("The provider was asked to end its session too.")).to_be_visible()
    page.goto("/keys/")
    expect(page.get_by_role("button", name="Sign in with Corp")).to_be_visible()  # no loop

    provider.knows("uid-alice", preferred_username="Alice", groups=["staff"])
    enter(page, "uid-alice")
    expect(page.get_by_text("Signed in as alice.")).to_be_visible()
    page.goto("/admin-tools/sso/")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()


def test_connecting_a_key_asks_to_sign_in_again(
    console: Console, provider: Provider, open_page: Callable[..., Page]
) -> None:
    provider.knows("uid-late", preferred_username="late")
    page = open_page()
    enter(page, "uid-late")
    page.wait_for_url("**/account/")
    console.age_proofs()
    page.goto("/account/token/")
    page.get_by_role("button", name="Sign in again with Corp").click()
    page.get_by_placeholder("sub").fill("uid-late")
    page.get_by_role("button", name="Authorize").click()

    page.wait_for_url("**/account/token/")
    expect(page.get_by_label("Token of your Estuary key")).to_be_visible()


def test_the_requested_page_opens_after_sign_in(
    console: Console, provider: Provider, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    enter(page, "uid-next@example.com", to="/exports/")
    # This person has no `preferred_username`, so a name cannot be made up for them.
    expect(page.get_by_text("You are not signed in")).to_be_visible()
    provider.knows("uid-next", preferred_username="next")
    enter(page, "uid-next", to="/exports/")

    page.wait_for_url("**/exports/")


def test_a_cancelled_sign_in_is_reported(
    provider: Provider, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto("/keys/")
    page.get_by_role("button", name="Sign in with Corp").click()
    page.get_by_role("button", name="Deny").click()

    expect(page.get_by_text("The sign-in was cancelled at the provider")).to_be_visible()


def test_signing_in_works_without_scripts(
    provider: Provider, open_page: Callable[..., Page]
) -> None:
    provider.knows("uid-plain", preferred_username="plain")
    page = open_page(java_script_enabled=False)
    enter(page, "uid-plain")

    expect(page.get_by_text("Signed in as plain.")).to_be_visible()
