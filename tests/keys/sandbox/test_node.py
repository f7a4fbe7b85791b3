"""The node as tests use it: it starts, stops, starts again, and remembers requests."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from keys.sandbox import Content, Sandbox
from keys.sandbox.estuary.state import hash_of
from keys.sandbox.seeding import seed_keys, seed_showcase
from tests.keys.sandbox.conftest import Account
from tests.keys.sandbox.wire import Answer, ask, connect, exchange, render


def test_it_starts_again_at_the_same_address() -> None:
    # Below the range from which the system gives ports to others in the meantime.
    before = set(threading.enumerate())
    node = Sandbox(f"127.0.0.1:{random.randint(20_000, 32_000)}")  # noqa: S311
    node.stop()
    with node:
        url = node.url
        assert ask(node, "GET", "/health").status == 200
    with pytest.raises(ConnectionRefusedError):
        connect(node)
    with node:
        assert node.url == url
        assert ask(node, "GET", "/health").status == 200
    assert set(threading.enumerate()) <= before


def test_stopping_closes_open_connections() -> None:
    with Sandbox() as node:
        sock = connect(node)
        sock.sendall(b"GET /health HTTP/1.1\r\n")
    with sock, contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""


def test_an_address_in_use_is_an_error_at_the_start() -> None:
    with Sandbox() as node, pytest.raises(OSError, match="in use"):
        Sandbox(listen=node.url.removeprefix("http://")).start()


def test_an_ipv6_url_has_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Sandbox(listen="[::1]:0") as node:
        assert node.url.startswith("http://[::1]:")
        assert ask(node, "GET", "/health").status == 200


def test_it_remembers_requests(account: Account) -> None:
    account.ask("DELETE", "/user/api-keys/x?y=%20", X_Request_Id="7")

    seen = account.node.requests[-1]
    assert (seen.method, seen.target, seen.status) == ("DELETE", "/user/api-keys/x?y=%20", 200)
    assert seen.headers["authorization"] == f"Bearer {account.token}"
    assert seen.headers["x-request-id"] == "7"
    assert account.token not in repr(seen)
    account.node.forget_requests()
    assert account.node.requests == []


def test_keys_have_the_given_properties(account: Account) -> None:
    node, user = account.node, account.user
    moment = datetime(2031, 5, 6, 7, 8, 9, 120, tzinfo=UTC)
    token = node.add_key(user, label="dated", expiry=moment, token="ESTxARY")
    node.add_key(user, label="forever", lifetime=None)

    rows = {row["label"]: row for row in json.loads(account.ask("GET", "/user/api-keys").body)}

    assert rows["dated"]["expiry"] == "2031-05-06T07:08:09.00012Z"
    assert rows["dated"]["tokenHash"] == hash_of(token)
    assert datetime.fromisoformat(rows["forever"]["expiry"]) - datetime.now(UTC) > timedelta(36_499)


@pytest.mark.parametrize("wrong", [{"permission": "All"}, {"era": "modern"}, {"token": "taken"}])
def test_a_key_with_wrong_properties_is_refused(account: Account, wrong: dict[str, str]) -> None:
    account.node.add_key(account.user, token="taken")

    with pytest.raises(ValueError, match=r"no such|in use"):
        account.node.add_key(account.user, **wrong)  # type: ignore[arg-type]


def test_a_user_name_is_unique(account: Account) -> None:
    with pytest.raises(ValueError, match="alice"):
        account.node.add_user("alice")


def test_an_unknown_generation_is_refused() -> None:
    with pytest.raises(ValueError, match="current, legacy, vintage"):
        Sandbox(generation="future")


def test_the_same_seed_makes_the_same_tokens() -> None:
    one, two, other = (Sandbox(seed=seed) for seed in (3, 3, 4))
    tokens = [node.add_key(node.add_user("alice")) for node in (one, two, other)]

    assert tokens[0] == tokens[1] != tokens[2]


def test_latency_comes_before_every_answer() -> None:
    with Sandbox(latency=0.1) as node:
        began = datetime.now(UTC)
        ask(node, "GET", "/health")
        assert datetime.now(UTC) - began >= timedelta(seconds=0.1)


def test_ten_thousand_keys_are_listed(account: Account) -> None:
    seed_keys(account.node, account.user, 10_000)

    rows = json.loads(account.ask("GET", "/user/api-keys").body)

    assert len({row["tokenHash"] for row in rows}) == 10_001


def test_the_showcase_has_every_kind_of_key(account: Account) -> None:
    seed_showcase(account.node, account.user)

    rows = json.loads(account.ask("GET", "/user/api-keys").body)

    assert len(rows) > 30
    assert sum(row["isSession"] for row in rows) == 3
    assert sum(not row["tokenHash"] for row in rows) == 2
    assert sum(bool(row["token"] and row["tokenHash"]) for row in rows) == 1
    labels = [row["label"] for row in rows]
    assert max(map(len, labels)) == 180
    assert any("\n" in label for label in labels)
    assert labels.count("ci upload") == 2
    expiries = sorted(datetime.fromisoformat(row["expiry"]) for row in rows)
    assert expiries[0] < datetime.now(UTC) < expiries[-1] - timedelta(36_000)


def test_a_sum_beyond_64_bits_is_an_error(account: Account) -> None:
    user = account.node.add_user("bob", contents=[Content(2**62)] * 2)

    answer = ask(account.node, "GET", "/user/stats", account.node.add_key(user))

    assert (answer.status, b"value out of range" in answer.body) == (500, True)


def _sent(account: Account, extra: list[tuple[str, str]], body: bytes) -> Answer:
    headers = [("Authorization", f"Bearer {account.token}"), *extra]
    return exchange(account.node, render("POST", "/user/api-keys", headers, None) + body)


def test_a_chunked_request_body_is_skipped(account: Account) -> None:
    chunked = [("Transfer-Encoding", "chunked")]
    assert _sent(account, chunked, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").status == 200


@pytest.mark.parametrize(
    ("name", "value", "body"),
    [
        ("Content-Length", "9999999", b""),
        ("Content-Length", "-1", b""),
        ("Transfer-Encoding", "chunked", b"zz\r\n"),
        ("Bad Name ", "x", b""),
    ],
)
def test_what_go_cannot_read_is_400_in_plain_text(
    account: Account, name: str, value: str, body: bytes
) -> None:
    answer = _sent(account, [(name, value)], body)

    assert (answer.status, answer.body) == (400, b"400 Bad Request")


@pytest.mark.parametrize("line", ["GET /user/stats HTTP/1.0", "GET /user/export?pretty HTTP/1.0"])
def test_http_1_0_keeps_its_connection_when_the_length_is_known(
    account: Account, line: str
) -> None:
    head = f"{line}\r\nConnection: keep-alive\r\nAuthorization: Bearer {account.token}\r\n\r\n"
    with connect(account.node) as sock:
        sock.sendall(head.encode())
        answer = b""
        while b"}\n" not in answer[-2:]:
            answer += sock.recv(65536)

    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert (b"Connection: keep-alive" in answer) is ("stats" in line)
    assert b"chunked" not in answer


def test_a_request_may_name_a_whole_url(account: Account) -> None:
    assert account.ask("GET", "http://anything/health").body == b'{"status":"ok"}\n'


def test_its_clock_can_differ_from_that_of_the_machine() -> None:
    with Sandbox(clock_offset=3600) as node:
        assert node_time(node) - datetime.now(UTC) > timedelta(minutes=59)
        node.clock_offset = -3600
        assert datetime.now(UTC) - node_time(node) > timedelta(minutes=59)


def test_a_key_ends_by_the_clock_of_the_node() -> None:
    with Sandbox(rate_limit=None) as node:
        token = node.add_key(node.add_user("alice"), lifetime=timedelta(minutes=30))
        assert ask(node, "GET", "/user/stats", token).status == 200
        node.clock_offset = 3600
        assert ask(node, "GET", "/user/stats", token).status == 401


def node_time(node: Sandbox) -> datetime:
    date = ask(node, "GET", "/health").header("Date")
    assert date
    return parsedate_to_datetime(date)
