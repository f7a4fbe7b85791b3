"""The sandbox answers as Estuary's own handlers did: every recorded case, three generations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from keys.sandbox import Sandbox
from tests.contract import VARIANTS, load_cases
from tests.keys.sandbox.clock import Clock, FrozenClock
from tests.keys.sandbox.scene import Scene
from tests.keys.sandbox.wiping import wiped
from tests.keys.sandbox.wire import Answer, ask, connect, exchange, parse, render

# Cases the sandbox does not repeat, and why.
EXCEPTIONS = {
    "time zone: server in America/New_York, create": "the sandbox runs in UTC",
    "rate limit: default 200": "a measurement; test_rate_limiter counts with a clock of its own",
}

_clock = Clock()


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, Sandbox]]:
    running = {
        variant: Sandbox(
            generation=variant, rate_limit=None, clock=_clock.seconds, wall=_clock.nanoseconds
        ).start()
        for variant in VARIANTS
    }
    yield running
    for node in running.values():
        node.stop()


@pytest.fixture
def limited() -> Iterator[Sandbox]:
    """Recorded with --rate-limit 5. Its clock stands still: on a busy machine it would refill."""
    clock = FrozenClock()
    with Sandbox(rate_limit=5, clock=clock.seconds, wall=clock.nanoseconds) as node:
        yield node


def _cases(kind: str) -> list[Any]:
    """Parameters: a case with the `setup` it has, or shares with the cases before it."""
    found, setup = [], ""
    for case in load_cases():
        if case["setup"] not in {"same user as before: all rows come, no paging", "echo feature"}:
            setup = case["setup"]
        if kind in case and case["name"] not in EXCEPTIONS:
            found.append(pytest.param(case, setup, id=f"{case['variant']}-{case['name']}"))
    return found


@pytest.mark.parametrize(("case", "setup"), _cases("request"))
def test_it_answers_as_recorded(
    nodes: dict[str, Sandbox], request: pytest.FixtureRequest, case: dict[str, Any], setup: str
) -> None:
    limits = case["name"].startswith("rate limit")
    node = request.getfixturevalue("limited") if limits else nodes[case["variant"]]
    node.truncate_exports = case["name"] == "export: 65,536 contents"
    scene = Scene(node, _clock, case, setup)
    before = scene.lists(scene.user, "KEY") if "effect" in case else None

    answer = exchange(node, _request(scene))

    _compare(answer, case)
    _compare_effect(scene, before=before)


@pytest.mark.parametrize(("case", "setup"), _cases("request_raw"))
def test_it_answers_raw_requests_as_recorded(
    nodes: dict[str, Sandbox], case: dict[str, Any], setup: str
) -> None:
    scene = Scene(nodes[case["variant"]], _clock, case, setup)
    request = scene.fill(case["request_raw"])
    if "1.1 MB" in case["name"]:  # the recording was cut
        request = f"{request.rstrip('x')}{'x' * 1_100_000}\r\n\r\n"

    answer = exchange(nodes[case["variant"]], request.encode())

    recorded = case["response_raw"].replace("\r\n", "\n")
    spoken = re.sub(r"Date: .*\n", "", answer.raw.decode().replace("\r\n", "\n"))
    assert spoken == recorded


def _request(scene: Scene) -> bytes:
    recorded = scene.case["request"]
    query = scene.fill(recorded["query"])
    target = scene.fill(recorded["path"]) + (f"?{query}" if query else "")
    headers = [(name, scene.fill(value)) for name, value in recorded["headers"].items()]
    if "two Authorization headers" in scene.name:
        headers.insert(0, ("Authorization", scene.fill("Bearer {UNKNOWN}")))
    return render(recorded["method"], target, headers, recorded.get("body"))


def _compare(answer: Answer, case: dict[str, Any]) -> None:
    recorded = case["response"]
    assert answer.status == recorded["status"]
    names = {name for name, _ in answer.headers} - {"Date", "Connection"}
    assert names == recorded["headers"].keys() - {"Connection"}
    for name in names - {"Content-Length"}:
        assert answer.header(name) == recorded["headers"][name]
    if case["request"]["method"] == "HEAD":
        assert answer.header("Content-Length") == recorded["headers"]["Content-Length"]
    elif "Content-Length" in names:
        assert answer.header("Content-Length") == str(len(answer.body))
    expected, spoken = recorded["body"], answer.body.decode()
    if "... (cut here;" in expected:
        expected = expected.partition("... (cut here;")[0].rpartition(",")[0]
        assert wiped(spoken[:20_000]).startswith(wiped(expected))
    else:
        assert wiped(spoken) == wiped(expected)


def _compare_effect(scene: Scene, *, before: bool | None) -> None:
    effect = scene.case.get("effect", {})
    if "key_listed_before" in effect:
        assert before is effect["key_listed_before"]
        after = scene.lists(scene.user, "KEY")
        assert after is effect["key_listed_after"]
    if "still_listed" in effect:
        assert scene.lists(scene.user, "KEY") is effect["still_listed"]
    if "still_in_owners_list" in effect:
        other = scene.lists(scene.other, "OTHERS_KEY")
        assert other is effect["still_in_owners_list"]


def _derived(name: str, variant: str = "current") -> Any:
    return load_cases(variant, name)[0]["derived"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_key_has_the_same_fields_created_and_listed(
    nodes: dict[str, Sandbox], variant: str
) -> None:
    node, recorded = nodes[variant], _derived("create: then compare", variant)
    user = node.add_user(f"compare {variant}")
    token = node.add_key(user)

    target = "/user/api-keys?label=cmp&expiry=false"
    created = json.loads(ask(node, "POST", target, token).body)
    row = json.loads(ask(node, "GET", "/user/api-keys", token).body)[1]

    for mine, theirs in ((created, recorded["create"]), (row, recorded["list_row"])):
        assert wiped(json.dumps(mine)) == wiped(json.dumps(theirs))
    assert created["expiry"].startswith(row["expiry"].rstrip("Z"))


def test_a_revoked_key_works_for_ten_seconds_from_its_first_use(nodes: dict[str, Sandbox]) -> None:
    node, recorded = nodes["current"], _derived("delete: revoked key called every second")
    token = node.add_key(node.add_user("every second"))
    seen = []

    for second, _status in recorded:
        if second:
            _clock.move(1)
        seen.append([second, ask(node, "GET", "/user/stats", token).status])
        node.remove_key(token)

    assert seen == recorded


def test_two_users_at_one_address_share_an_allowance(limited: Sandbox) -> None:
    tokens = [limited.add_key(limited.add_user(name)) for name in ("alice", "bob")]

    statuses = [ask(limited, "GET", "/user/stats", tokens[at % 2]).status for at in range(7)]

    assert statuses == _derived("rate limit: two users")["statuses"]


def test_a_connection_is_kept(nodes: dict[str, Sandbox]) -> None:
    with connect(nodes["current"]) as sock:
        for _ in _derived("connection: keep-alive")["local_ports"]:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: node\r\n\r\n")
            assert parse(sock.recv(65536)).body == b'{"status":"ok"}\n'


def test_half_a_request_is_waited_for(nodes: dict[str, Sandbox]) -> None:
    with connect(nodes["current"], timeout=0.2) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: node\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_http_2_is_not_spoken(nodes: dict[str, Sandbox]) -> None:
    answer = exchange(nodes["current"], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    recorded = parse(_derived("connection: HTTP/2").encode())
    assert (answer.status, answer.body) == (recorded.status, recorded.body)
    assert [name for name, _ in answer.headers] == [name for name, _ in recorded.headers]


def test_every_case_is_replayed_or_a_stated_exception() -> None:
    derived = {case["name"] for case in load_cases() if "derived" in case}

    assert derived - EXCEPTIONS.keys() == {
        "create: then compare with the list (2)",
        "delete: revoked key called every second",
        "rate limit: two users at one address",
        "connection: keep-alive",
        "connection: half a request",
        "connection: HTTP/2 prior knowledge",
    }
    assert EXCEPTIONS.keys() <= {case["name"] for case in load_cases()}
