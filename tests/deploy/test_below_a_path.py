"""The console below a path of another site, behind the shipped proxy files."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.deploy.shipped import caddy_below_a_path, nginx_below_a_path
from tests.support.console import Console
from tests.support.processes import free_port
from tests.support.programs import Running
from tests.support.visitor import Visitor


@pytest.fixture(params=[nginx_below_a_path, caddy_below_a_path], ids=["nginx", "caddy"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of the whole site."""
    start: Callable[..., Running] = request.param
    port = free_port()
    front = f"http://localhost:{port}"
    settings = {"PUBLIC_URL": f"{front}/estuary", "TRUSTED_PROXIES": "127.0.0.1"}
    with Sandbox(rate_limit=None) as node:
        token = node.add_key(node.add_user("alice"), label="console")
        members = [{"name": "alice", "token": token}]
        data = tmp_path / "data"
        data.mkdir()
        with (
            Console(data, node, members, environment=settings) as console,
            start(tmp_path, port, console.port),
        ):
            yield front


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        with error:
            status = error.code
    return status


def test_a_member_works_below_the_path(site: str) -> None:
    alice = Visitor()

    keys = alice.get(f"{site}/estuary")
    assert keys.url == f"{site}/estuary/accounts/login/?next=/estuary/"
    alice.sign_in(f"{site}/estuary", "alice")
    listed = alice.get(f"{site}/estuary/keys/")
    key = {"label": "backup", "lifetime": "7d", "permission": "upload"}
    created = alice.submit(f"{site}/estuary/keys/new/", **key)

    assert "console" in listed.words
    assert "EST" in created.text
    links = set(re.findall(r'(?:href|src|action)="(/[^"]*)"', listed.text))
    assert links
    assert {link for link in links if not link.startswith("/estuary/")} == set()
    for link in links:
        if "/static/" in link:
            assert status_of(site + link) == 200


def test_the_rest_of_the_site_is_as_before(site: str) -> None:
    with urllib.request.urlopen(f"{site}/keys/", timeout=30) as answer:
        assert answer.read() == b"Another site"


@pytest.mark.parametrize("path", ["metrics", "readyz"])
def test_what_is_for_monitors_is_closed(site: str, path: str) -> None:
    assert status_of(f"{site}/estuary/{path}") == 404
    assert status_of(f"{site}/estuary/healthz") == 200


def test_no_log_of_the_site_holds_what_is_searched_for(site: str, tmp_path: Path) -> None:
    status_of(f"{site}/estuary/keys/?q=searched-for")
    status_of(f"{site}/estuary/feeds/secret-of-a-feed/keys.ics")
    status_of(f"{site}/other?q=of-the-site")

    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "searched-for" not in logs
    assert "secret-of-a-feed" not in logs
