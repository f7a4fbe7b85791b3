"""The console below a path of another site, behind nginx with TLS, driven by a browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from keys.sandbox import Sandbox
from tests.support.console import PASSWORD, Console
from tests.support.processes import free_port
from tests.support.programs import Running, program
from tests.support.raw_requests import ask

pytestmark = pytest.mark.browser

BASE = "/estuary"
CONFIG = """
daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 404 "another site"; }}
    location = /.well-known/change-password {{
      absolute_redirect off; return 302 /estuary/.well-known/change-password;
    }}
    location {location} {{
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_pass http://127.0.0.1:{console}{passed_on};
    }}
  }}
}}
"""


def make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=localhost", "-days", "2"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module", params=["kept", "removed"])
def console(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    """The console behind an nginx that keeps the path, or removes it; its `url` is nginx's."""
    nginx, folder, front = program("nginx", "nginx"), tmp_path_factory.mktemp("base"), free_port()
    environment = {
        "PUBLIC_URL": f"https://localhost:{front}{BASE}",
        "TRUSTED_PROXIES": "127.0.0.1",
        "SUDO_MINUTES": "15",
    }
    with Sandbox(rate_limit=None) as node:
        token = node.add_key(node.add_user("alice"), label="console")
        members = [{"name": "alice", "token": token, "admin": False}]
        make_certificate(folder)
        with Console(folder, node, members, environment=environment) as console:
            location, passed_on = (f"{BASE}/", "/") if request.param == "removed" else (BASE, "")
            written = CONFIG.format(
                folder=folder,
                port=front,
                console=console.port,
                location=location,
                passed_on=passed_on,
            )
            (folder / "nginx.conf").write_text(written)
            command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
            with Running(command, front, folder / "nginx.log"):
                console.url = f"https://localhost:{front}"
                yield console


@pytest.fixture
def page(chromium: Browser, console: Console) -> Iterator[Page]:
    """A page; a request outside of the path, or one that fails, fails the test."""
    context = chromium.new_context(base_url=console.url, ignore_https_errors=True)
    page = context.new_page()
    page.set_default_timeout(10_000)
    strays: list[str] = []

    def look(address: str, status: int) -> None:
        if not urlsplit(address).path.startswith(f"{BASE}/") or status >= 400:
            strays.append(f"{status} {address}")

    page.on("response", lambda response: look(response.url, response.status))
    page.on("console", lambda said: strays.append(said.text))
    page.on("pageerror", lambda error: strays.append(str(error)))
    yield page
    context.close()
    assert strays == []


def sign_in(page: Page) -> None:
    page.goto(f"{BASE}/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{BASE}/keys/")


def test_a_member_works_below_the_path(page: Page, console: Console) -> None:
    sign_in(page)
    page.get_by_role("link", name="New key").click()
    page.get_by_label("Label").fill("below a path")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("It will not be shown again")).to_be_visible()
    page.goto(f"{BASE}/keys/")
    page.get_by_role("searchbox").fill("below")
    expect(page.get_by_role("table")).to_contain_text("below a path")
    page.get_by_role("link", name="below a path", exact=True).click()
    page.wait_for_url(f"**{BASE}/keys/*/")
    for name in ("Stats", "Exports", "Keys"):
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.goto(f"{BASE}/account/")
    page.locator("summary").first.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"**{BASE}/accounts/login/")


def test_cookies_are_for_the_path_alone(page: Page, console: Console) -> None:
    sign_in(page)

    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}

    assert {"__Secure-sessionid", "__Secure-csrftoken", "timezone"} <= cookies.keys()
    for cookie in cookies.values():
        assert cookie["path"].rstrip("/") == BASE
        assert cookie["secure"]


def test_a_signed_out_member_comes_back_to_the_page(page: Page, console: Console) -> None:
    page.goto(f"{BASE}/stats/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    page.wait_for_url(f"**{BASE}/stats/")


def test_a_password_manager_finds_the_change_of_password(page: Page, console: Console) -> None:
    sign_in(page)
    with page.context.new_page() as other:
        other.goto("/.well-known/change-password")
        other.wait_for_url(f"**{BASE}/accounts/**")


@pytest.mark.parametrize("path", ["/healthz", f"{BASE}/healthz", "/readyz", f"{BASE}/readyz"])
def test_probes_answer_with_the_path_and_without(console: Console, path: str) -> None:
    assert ask(console.port, path).status == 200


def test_http_redirects_to_https_below_the_path(console: Console) -> None:
    answer = ask(console.port, f"{BASE}/keys/", [("X-Forwarded-Proto", "http")])

    assert answer.status == 301
    assert answer.headers["Location"] == f"https://localhost{BASE}/keys/"


def test_an_unknown_address_below_the_path_links_to_the_console(console: Console) -> None:
    answer = ask(console.port, f"{BASE}/nothing/", [("X-Forwarded-Proto", "https")])

    assert answer.status == 404
    assert f'href="{BASE}/"' in answer.text
    assert f'href="{BASE}/static/css/console.' in answer.text
