"""The console behind Debian's nginx with `auth_request`, used by a browser and attacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox import Sandbox
from tests.estuary_admin.security.conftest import code_of
from tests.proxies.configurations import write_nginx
from tests.proxies.verifier import Verifier
from tests.support.console import Console
from tests.support.processes import free_port
from tests.support.programs import Running, program
from tests.support.raw_requests import Headers, ask

pytestmark = pytest.mark.browser

SECRET = "the-secret-of-nginx"
SIGN_IN = """
location /sso/ {{ proxy_pass http://127.0.0.1:{verifier}; }}
location @enter {{ absolute_redirect off; return 302 /sso/; }}
error_page 401 = @enter;
"""


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as verifier:
        yield verifier


@pytest.fixture(scope="module")
def console(verifier: Verifier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The console behind nginx; its `url` is that of nginx."""
    nginx, folder, front = program("nginx", "nginx"), tmp_path_factory.mktemp("nginx"), free_port()
    sso = {
        "SSO_MODE": "proxy-header",
        "SSO_PRESET": "authelia",
        "SSO_TRUSTED_PROXIES": "127.0.0.1",
        "SSO_PROXY_SECRET": SECRET,
        "SSO_ADMIN_GROUPS": "admins",
        "SSO_LOGOUT_URL": "/sso/leave",
        "PUBLIC_URL": f"http://localhost:{front}",
    }
    with (
        Sandbox(rate_limit=None) as node,
        Console(folder, node, [], environment=sso) as console,
    ):
        others = SIGN_IN.format(verifier=verifier.port)
        arguments = write_nginx(folder, front, verifier, console, is_https=False, others=others)
        with Running([nginx, *arguments], front, folder / "nginx.log"):
            console.front = front
            console.url = f"http://localhost:{front}"
            yield console


def add_an_app(page: Page) -> None:
    """Add an authenticator app: with plain headers it is the only way to prove anything."""
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.get_by_role("link", name="Add an app").click()
    secret = page.locator(".setup-key").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Add the app").click()
    page.get_by_role("link", name="I have saved them").click()


def test_a_member_signs_in_works_changes_role_and_signs_out(
    console: Console, verifier: Verifier, open_page: Callable[..., Page]
) -> None:
    verifier.groups = {"root": "admins"}
    assert ask(console.front, headers=[("Cookie", "who=root")]).member == "root, admin"
    page = open_page()
    page.goto("/")
    page.get_by_label("Name").fill("Alice")
    page.get_by_role("button", name="Enter").click()
    add_an_app(page)
    page.goto("/account/token/")
    account = console.node.add_user("alice")
    page.get_by_label("Token of your Estuary key").fill(
        console.node.add_key(account, label="console")
    )
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("table")).to_contain_text("console")

    verifier.groups["Alice"] = "staff,admins"
    page.goto("/account/")
    expect(page.get_by_text("Signed in as alice, admin.")).to_be_visible()
    verifier.groups["Alice"] = "staff"
    # nginx leaves out a header without a value, so the groups that remain must be named.
    page.goto("/account/")
    expect(page.get_by_text("Signed in as alice.")).to_be_visible()

    page.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sso/")
    page.goto("/keys/")
    page.wait_for_url("**/sso/")


def test_ending_the_other_session_signs_out_at_the_next_click(
    console: Console, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto("/sso/enter?user=carl")
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.context.clear_cookies(name="who")

    page.get_by_role("link", name="Stats").click()

    page.wait_for_url("**/sso/")


AS_BOB = ("Cookie", "who=bob")


@pytest.mark.parametrize(
    "headers",
    [
        [AS_BOB, ("Remote-User", "root")],
        [AS_BOB, ("Remote_User", "root")],
        [AS_BOB, ("Remote-User", "root"), ("Remote-User", "root"), ("REMOTE-USER", "root")],
        [AS_BOB, ("Remote-Groups", "admins"), ("Remote_Groups", "admins")],
        [AS_BOB, ("Remote-Email", "root@example.com"), ("X-Forwarded-For", "10.0.0.1")],
    ],
)
def test_identity_headers_of_a_client_are_replaced(console: Console, headers: Headers) -> None:
    assert ask(console.front, headers=headers).member == "bob"


def test_without_sign_in_nothing_is_passed_on(console: Console) -> None:
    answer = ask(console.front, headers=[("Remote-User", "root")])

    assert (answer.status, answer.headers["Location"]) == (302, "/sso/")


def test_a_name_with_a_comma_is_refused(console: Console) -> None:
    assert ask(console.front, headers=[("Cookie", 'who="a,root"')]).reason == "malformed-identity"


def test_the_port_refuses_requests_without_the_proxy(console: Console) -> None:
    assert ask(console.port, headers=[("Remote-User", "root")]).reason == "wrong-secret"
