"""The console behind Debian's Apache with mod_auth_openidc and a real provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox import Sandbox
from tests.proxies.configurations import APACHE_MODULES, write_apache
from tests.proxies.provider import Provider
from tests.support.console import Console
from tests.support.processes import free_port
from tests.support.programs import Running, program
from tests.support.raw_requests import ask

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture(scope="module")
def console(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    module = f"{APACHE_MODULES}/mod_auth_openidc.so"
    apache = program("apache2", "apache2 and libapache2-mod-auth-openidc", also=module)
    folder, front = tmp_path_factory.mktemp("apache"), free_port()
    sso = {
        "SSO_MODE": "proxy-header",
        "SSO_TRUSTED_PROXIES": "127.0.0.1",
        "SSO_USER_HEADER": "Remote-User",
        "SSO_ID_HEADER": "X-Uid",
        "SSO_GROUPS_HEADER": "Remote-Groups",
        "SSO_ADMIN_GROUPS": "admins",
        "SUDO_MINUTES": "0",
        "SSO_LOGOUT_URL": f"/oidc-callback?logout={provider.url}/",
        "PUBLIC_URL": f"http://localhost:{front}",
    }
    with (
        Sandbox(rate_limit=None) as node,
        Console(folder, node, [], environment=sso) as console,
    ):
        arguments = write_apache(folder, front, provider, console, is_https=False)
        with Running([apache, *arguments], front, folder / "apache.log"):
            console.front = front
            console.url = f"http://localhost:{front}"
            yield console


def enter(page: Page, sub: str) -> None:
    page.goto("/account/")
    page.get_by_placeholder("sub").fill(sub)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url("**/account/")


def test_a_member_signs_in_works_changes_role_and_signs_out(
    console: Console, provider: Provider, open_page: Callable[..., Page]
) -> None:
    provider.knows("uid-root", preferred_username="root", groups=["admins"])
    provider.knows("uid-alice", preferred_username="Alice", groups=["staff", "admins"])
    enter(open_page(), "uid-root")
    page = open_page()
    enter(page, "uid-alice")
    expect(page.get_by_text("Signed in as alice, admin.")).to_be_visible()
    page.goto("/admin-tools/sso/")
    expect(page.get_by_text("Groups: admins, staff: admin.")).to_be_visible()

    page.goto("/account/token/")
    account = console.node.add_user("alice")
    page.get_by_label("Token of your Estuary key").fill(
        console.node.add_key(account, label="console")
    )
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("table")).to_contain_text("console")

    provider.knows("uid-alice", preferred_username="Alice", groups=["staff"])
    page.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    page.wait_for_url(f"{provider.url}/")
    enter(page, "uid-alice")
    expect(page.get_by_text("Signed in as alice.")).to_be_visible()


def test_a_renamed_person_keeps_the_account_and_the_name_is_not_reused(
    console: Console, provider: Provider, open_page: Callable[..., Page]
) -> None:
    provider.knows("uid-1", preferred_username="carl")
    enter(open_page(), "uid-1")
    provider.knows("uid-1", preferred_username="carl.b")
    provider.knows("uid-2", preferred_username="carl")

    renamed = open_page()
    enter(renamed, "uid-1")
    expect(renamed.get_by_text("Signed in as carl.")).to_be_visible()
    heir = open_page()
    heir.goto("/account/")
    heir.get_by_placeholder("sub").fill("uid-2")
    with heir.expect_response("**/account/") as answered:
        heir.get_by_role("button", name="Authorize").click()
    assert answered.value.status == 403
    expect(heir.get_by_text("an admin must confirm that it is yours")).to_be_visible()


def test_identity_headers_of_a_client_are_removed(
    console: Console, provider: Provider, open_page: Callable[..., Page]
) -> None:
    provider.knows("uid-mallory", preferred_username="mallory")
    page = open_page()
    page.context.set_extra_http_headers(
        {"Remote-User": "root", "X-Uid": "uid-root", "Remote-Groups": "admins"}
    )
    page.goto("/account/")
    page.get_by_placeholder("sub").fill("uid-mallory")
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url("**/account/")

    expect(page.get_by_text("Signed in as mallory.")).to_be_visible()


def test_without_sign_in_nothing_is_passed_on(console: Console, provider: Provider) -> None:
    as_root = [("Accept", "text/html"), ("Remote-User", "root"), ("X-Uid", "uid-root")]

    answer = ask(console.front, headers=as_root)

    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{provider.url}/oauth2/authorize?")
