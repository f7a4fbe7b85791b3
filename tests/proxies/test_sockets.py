"""Identity headers as the production server receives them, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.support.console import Console
from tests.support.raw_requests import Headers, ask

SECRET = "the-secret-between-proxy-and-console"
PROVED = ("X-Proxy-Secret", SECRET)
PRESET = {"SSO_MODE": "proxy-header", "SSO_PRESET": "authelia", "SSO_ADMIN_GROUPS": "admins"}


@pytest.fixture(scope="module")
def node() -> Iterator[Sandbox]:
    with Sandbox(rate_limit=None) as node:
        yield node


@pytest.fixture(scope="module")
def port(node: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("by-tcp")
    trusted = {"SSO_TRUSTED_PROXIES": "127.0.0.1", "SSO_PROXY_SECRET": SECRET}
    with Console(folder, node, [], environment=PRESET | trusted) as running:
        yield running.port


@pytest.fixture(scope="module")
def port_of_others(node: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A console whose trusted proxy has another address than this test."""
    folder = tmp_path_factory.mktemp("elsewhere")
    trusted = {"SSO_TRUSTED_PROXIES": "10.0.0.5"}
    with Console(folder, node, [], environment=PRESET | trusted) as running:
        yield running.port


def test_the_proxy_signs_a_member_in(port: int) -> None:
    answer = ask(port, headers=[PROVED, ("Remote-User", "alice"), ("Remote-Groups", "admins")])

    assert (answer.status, answer.member) == (200, "alice, admin")


def test_large_headers_of_single_sign_on_are_accepted(port: int) -> None:
    groups = ",".join([f"group-{number:05}" for number in range(2000)] + ["admins"])
    large = [
        PROVED,
        ("Remote-User", "many"),
        ("Remote-Groups", groups),
        ("Cookie", f"state={'x' * 9000}"),
    ]

    answer = ask(port, f"/account/?code={'c' * 4200}", headers=large)

    assert (answer.status, answer.member) == (200, "many, admin")


SMUGGLED: list[tuple[Headers, str]] = [
    ([PROVED], "missing-identity"),
    ([PROVED, ("Remote-User", "")], "missing-identity"),
    ([PROVED, ("Remote_User", "root")], "missing-identity"),
    ([PROVED, ("HTTP_REMOTE_USER", "root")], "missing-identity"),
    ([PROVED, ("Remote-User", "alice"), ("Remote-User", "root")], "malformed-identity"),
    ([PROVED, ("Remote-User", "alice"), ("remote-user", "alice")], "malformed-identity"),
    ([PROVED, ("Remote-User", "alice,root")], "malformed-identity"),
    (
        [PROVED, ("Remote-User", "x"), ("Remote-Groups", "admins"), ("Remote-Groups", "staff")],
        "malformed-identity",
    ),
    ([PROVED, PROVED, ("Remote-User", "alice")], "wrong-secret"),
    ([("X_Proxy_Secret", SECRET), ("Remote-User", "alice")], "wrong-secret"),
    ([("Remote-User", "alice")], "wrong-secret"),
]


@pytest.mark.parametrize(("headers", "reason"), SMUGGLED)
def test_smuggled_headers_are_refused(port: int, headers: Headers, reason: str) -> None:
    answer = ask(port, headers=headers)

    assert (answer.status, answer.reason) == (403, reason)


def test_headers_with_underscores_are_ignored(port: int) -> None:
    both = [PROVED, ("Remote_User", "root"), ("Remote-User", "bob"), ("Remote_User", "root")]

    assert ask(port, headers=both).member == "bob"


def test_script_name_headers_are_ignored(port: int) -> None:
    below = [PROVED, ("Remote-User", "alice"), ("SCRIPT_NAME", "/x"), ("Script-Name", "/x")]

    assert ask(port, "/x/account/", headers=below).status == 404
    assert 'href="/x/' not in ask(port, headers=below).text


def test_the_port_refuses_untrusted_peers(port_of_others: int) -> None:
    headers = [("Remote-User", "root"), ("X-Forwarded-For", "10.0.0.5")]

    assert ask(port_of_others, headers=headers).reason == "untrusted-peer"
    assert ask(port_of_others, "/healthz").status == 200
    assert ask(port_of_others, "/static/icons/mark.svg").status in {200, 404}


class ConsoleOnSocket(Console):
    def answers(self) -> bool:
        listening = self.log.parent / "console.sock"
        return listening.exists() and ask(listening, "/healthz").status == 200


def test_a_unix_socket_can_be_the_trusted_proxy(node: Sandbox, tmp_path: Path) -> None:
    listening = tmp_path / "console.sock"
    by_socket = {"BIND": f"unix:{listening}", "SSO_TRUSTED_PROXIES": "unix"}

    with ConsoleOnSocket(tmp_path, node, [], environment=PRESET | by_socket):
        assert ask(listening, headers=[("Remote-User", "alice")]).member == "alice"
        assert ask(listening).reason == "missing-identity"
