"""Each fault does what its description says, to the answer and to the keys."""

from __future__ import annotations

import json
import re
import time

import pytest

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.faults import CARRIED_OUT, KINDS, parse_fault
from tests.keys.sandbox.conftest import Account
from tests.keys.sandbox.wire import Answer, ask, connect, render

CREATE = ("POST", "/user/api-keys?label=new")


def _raw(account: Account, method: str, target: str) -> tuple[bytes, bool]:
    """All bytes that came, and whether the connection was reset in the end."""
    headers = [("Authorization", f"Bearer {account.token}")]
    received = b""
    with connect(account.node) as sock:
        sock.sendall(render(method, target, headers, None))
        try:
            while part := sock.recv(65536):
                received += part
        except ConnectionResetError:
            return received, True
    return received, False


def _error(answer: Answer) -> str:
    reason: str = json.loads(answer.body)["error"]["reason"]
    return reason


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"never", "drip", "drip-body", "huge"}))
def test_only_the_kinds_that_say_so_carry_the_request_out(account: Account, kind: str) -> None:
    account.node.set_fault("create", Fault(kind, seconds=0.001, size=40))

    _raw(account, *CREATE)

    assert account.labels() == (["main", "new"] if kind in CARRIED_OUT else ["main"])


@pytest.mark.parametrize("kind", ["reset-before", "reset-after"])
def test_reset_sends_rst_and_no_answer(account: Account, kind: str) -> None:
    account.node.set_fault("create", Fault(kind))

    assert _raw(account, *CREATE) == (b"", True)
    assert account.node.requests[-1].status is None


def test_never_holds_the_connection_until_the_client_gives_up(account: Account) -> None:
    account.node.set_fault("any", Fault("never", times=1))

    with connect(account.node, timeout=0.2) as sock:
        sock.sendall(render("GET", "/user/stats", [], None))
        with pytest.raises(TimeoutError):
            sock.recv(1)

    assert account.ask("GET", "/user/stats").status == 200


def test_a_delay_comes_before_the_right_answer(account: Account) -> None:
    account.node.set_fault("stats", Fault("delay", seconds=0.15))
    began = time.monotonic()

    assert account.ask("GET", "/user/stats").status == 200
    assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("500", 500, "Internal Server Error"),
        ("500-after", 500, "Internal Server Error"),
        ("404", 404, "Not Found"),
        ("401-unknown", 401, "ERR_INVALID_TOKEN"),
        ("401-expired", 401, "ERR_TOKEN_EXPIRED"),
        ("403-upload", 403, "ERR_NOT_AUTHORIZED"),
        ("429", 429, "Too Many Requests"),
    ],
)
def test_refusals_have_estuarys_words(
    account: Account, kind: str, status: int, reason: str
) -> None:
    account.node.set_fault("list", Fault(kind))

    answer = account.ask("GET", "/user/api-keys")

    assert (answer.status, _error(answer)) == (status, reason)
    assert answer.header("Retry-After") is None


def test_refusals_have_the_format_of_their_generation() -> None:
    with Sandbox(generation="vintage") as node:
        node.set_fault("list", Fault("403-upload"))
        answer = ask(node, "GET", "/user/api-keys")

    assert (answer.status, answer.body) == (401, b'{"error":"ERR_NOT_AUTHORIZED"}\n')


def test_429_can_have_retry_after(account: Account) -> None:
    account.node.set_fault("list", Fault("429", retry_after=7))

    assert account.ask("GET", "/user/api-keys").header("Retry-After") == "7"


@pytest.mark.parametrize(("kind", "status"), [("502-html", 502), ("html", 200), ("redirect", 302)])
def test_pages_of_proxies_are_html(account: Account, kind: str, status: int) -> None:
    account.node.set_fault("list", Fault(kind, location="https://other.example/x", body="<p>hm"))

    answer = account.ask("GET", "/user/api-keys")

    assert (answer.status, answer.body) == (status, b"<p>hm")
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    location = "https://other.example/x" if kind == "redirect" else None
    assert answer.header("Location") == location


def test_truncated_announces_more_than_it_sends(account: Account) -> None:
    account.node.set_fault("list", Fault("truncated", size=10))

    raw, reset = _raw(account, "GET", "/user/api-keys")

    head, _, body = raw.partition(b"\r\n\r\n")
    # Go drops trailing zeros of a fraction of a second: the length varies by some digits.
    assert re.search(rb"Content-Length: 1[34]\d\b", head)
    assert (body, reset) == (b'[{"token":', False)


@pytest.mark.parametrize("kind", ["truncated-json", "invalid-utf8", "null", "object"])
def test_truncated_json_is_a_complete_answer(account: Account, kind: str) -> None:
    account.node.set_fault("list", Fault(kind))

    answer = account.ask("GET", "/user/api-keys")

    assert answer.status == 200
    assert answer.header("Content-Length") == str(len(answer.body))
    if kind == "invalid-utf8":
        assert b"\xff" in answer.body
    elif kind == "truncated-json":
        assert answer.body.startswith(b'[{"token":"",')
        assert not answer.body.endswith(b"]\n")
    else:
        assert answer.body == {"null": b"null\n", "object": b"{}\n"}[kind]


def test_wrong_type_is_right_json_as_text(account: Account) -> None:
    account.node.set_fault("stats", Fault("wrong-type"))

    answer = account.ask("GET", "/user/stats")

    assert json.loads(answer.body)["numPins"] == 3
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("kind", "at_once"), [("drip", 1), ("drip-body", 150)])
def test_drip_sends_byte_by_byte(account: Account, kind: str, at_once: int) -> None:
    account.node.set_fault("stats", Fault(kind, seconds=0.05))

    with connect(account.node) as sock:
        sock.sendall(
            render("GET", "/user/stats", [("Authorization", f"Bearer {account.token}")], None)
        )
        assert len(sock.recv(1000)) in range(at_once, at_once + 100)
        assert len(sock.recv(1000)) < 3


def test_huge_does_not_end_early_and_is_no_json(account: Account) -> None:
    account.node.set_fault("list", Fault("huge", size=1_000_000))

    answer = account.ask("GET", "/user/api-keys")

    assert len(answer.body) > 1_000_000
    assert answer.body.startswith(b'[{"token":"","tokenHash":')


@pytest.mark.parametrize("cut", [Fault("cut"), Fault("cut", size=200_000)])
def test_an_export_is_cut_without_its_last_chunk(account: Account, cut: Fault) -> None:
    account.user.holdings = account.user.holdings.of(1000)
    account.node.set_fault("export", cut)

    raw, _reset = _raw(account, "GET", "/user/export")

    assert b"Transfer-Encoding: chunked" in raw
    assert len(raw) in range(cut.size or 50_000, (cut.size or 50_000) + 500)
    assert not raw.endswith(b"0\r\n\r\n")


def test_silent_ok_answers_and_changes_nothing(account: Account) -> None:
    doomed = account.node.add_key(account.user, label="doomed")
    account.node.set_fault("any", Fault("silent-ok"))

    assert account.ask("DELETE", f"/user/api-keys/{doomed}").status == 200
    assert json.loads(account.ask(*CREATE).body)["label"] == "new"
    assert account.labels() == ["main", "doomed"]


def test_a_fault_affects_as_many_requests_as_asked(account: Account) -> None:
    account.node.set_fault("stats", Fault("500", times=2))

    statuses = [account.ask("GET", "/user/stats").status for _ in range(4)]

    assert statuses == [500, 500, 200, 200]


def test_the_fault_of_an_endpoint_comes_before_that_of_any(account: Account) -> None:
    account.node.set_fault("any", Fault("404"))
    account.node.set_fault("list", Fault("500"))

    assert account.ask("GET", "/user/api-keys").status == 500
    assert account.ask("GET", "/user/stats").status == 404
    account.node.clear_faults()
    assert account.ask("GET", "/user/stats").status == 200


def test_a_fault_can_be_given_on_the_command_line() -> None:
    endpoint, fault = parse_fault("list=429:retry_after=3,times=2,seconds=0.5")

    assert (endpoint, fault) == ("list", Fault("429", seconds=0.5, times=2, retry_after=3))


@pytest.mark.parametrize(
    "text", ["list", "lists=500", "list=501", "list=500:twice=1", "list=500:times=x"]
)
def test_a_fault_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_fault(text)
