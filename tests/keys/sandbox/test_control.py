"""The control path switches faults and shows requests, for this machine only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keys.sandbox.estuary.control import Control
from keys.sandbox.estuary.faults import FaultBook
from keys.sandbox.wire.parsing import Request
from tests.keys.sandbox.conftest import Account
from tests.keys.sandbox.wire import ask


def _control(account: Account, method: str, path: str, body: Any = None) -> Any:
    text = None if body is None else json.dumps(body)
    answer = ask(account.node, method, path, body=text)
    return answer.status, json.loads(answer.body)


def test_faults_are_switched_while_it_runs(account: Account) -> None:
    wanted = {"list": {"kind": "429", "retry_after": 3, "times": 2}}

    assert _control(account, "PUT", "/sandbox/faults", wanted) == (200, wanted)
    assert account.ask("GET", "/user/api-keys").header("Retry-After") == "3"
    assert _control(account, "GET", "/sandbox/faults")[1]["list"]["times"] == 1
    assert _control(account, "DELETE", "/sandbox/faults") == (200, {})
    assert account.ask("GET", "/user/api-keys").status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        {"list": "500"},
        {"list": {"kind": "501"}},
        {"all": {"kind": "500"}},
        {"list": {"kind": "500", "size": "much"}},
        {"stats": {"kind": "500"}, "list": {}},
    ],
)
def test_a_wrong_fault_is_refused_and_changes_nothing(account: Account, wanted: Any) -> None:
    status, body = _control(account, "PUT", "/sandbox/faults", wanted)

    assert status == 400
    assert body["error"]
    assert _control(account, "GET", "/sandbox/faults") == (200, {})


def test_requests_are_shown_without_their_tokens(account: Account) -> None:
    account.ask("GET", "/user/stats?x=1")

    shown = _control(account, "GET", "/sandbox/requests")[1]

    assert shown == [{"method": "GET", "target": "/user/stats?x=1", "status": 200}]


@pytest.mark.parametrize("header", ["Origin", "X_Forwarded_For", "Forwarded"])
def test_browsers_and_proxies_get_404(account: Account, header: str) -> None:
    answer = ask(account.node, "GET", "/sandbox/faults", "", None, **{header: "anything"})

    assert answer.status == 404


@pytest.mark.parametrize(
    ("peer", "answered"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("fe80::1%eth0", False),
    ],
)
def test_only_loopback_is_answered(peer: str, *, answered: bool) -> None:
    control = Control(FaultBook(), list)

    reply = control.answer(Request("GET", "/sandbox/faults", {}, peer=peer))

    assert (reply is not None) is answered


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "faults"), ("PUT", "requests"), ("GET", "x")]
)
def test_an_unknown_control_path_is_404(account: Account, method: str, path: str) -> None:
    assert account.ask(method, f"/sandbox/{path}").status == 404
