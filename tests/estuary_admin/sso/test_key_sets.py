"""Public keys: fetched rarely, replaced at once, and used for a while after their address fails."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError

from estuary_admin.sso import key_sets, provider_http
from estuary_admin.sso.key_sets import KeySet
from tests.estuary_admin.sso.signer import KeyServer, SigningKey
from tests.estuary_admin.sso.slow_server import SlowServer

FIRST, SECOND = SigningKey("first"), SigningKey("second")
INVALID = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'{"keys": []}',
    b'{"keys": [{"kty": "oct", "k": "eA"}]}',
    b'{"keys": [1]}',
    b"[" * 99_999,
]


class Clock:
    """The monotonic clock of the keys and of their cache."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("estuary_admin.sso.key_sets.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, server: KeyServer) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer() as server:
        server.lists(FIRST)
        yield server


@pytest.fixture
def keys(server: KeyServer, clock: Clock) -> KeySet:
    return KeySet(server.url)


def test_one_fetch_is_used_for_minutes(server: KeyServer, keys: KeySet, clock: Clock) -> None:
    for _ in range(3):
        assert keys.key("first").key_id == "first"
    assert server.asked == 1

    clock.now += key_sets.REFETCH_SECONDS + 1
    keys.key("first")
    assert server.asked == 2


def test_malformed_keys_do_not_hide_a_good_one(server: KeyServer, keys: KeySet) -> None:
    good = json.dumps(FIRST.public)
    server.body = f'{{"keys": [1, null, {{"kty": "RSA", "n": 1, "e": "AQAB"}}, {good}]}}'.encode()

    assert keys.key("first").key_id == "first"


def test_a_new_key_is_fetched_when_it_is_first_used(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.key("first")
    server.lists(FIRST, SECOND)
    clock.now += key_sets.UNKNOWN_KEY_SECONDS + 1

    assert keys.key("second").key_id == "second"


def test_unknown_key_ids_cause_one_fetch(server: KeyServer, keys: KeySet, clock: Clock) -> None:
    keys.key("first")
    clock.now += key_sets.UNKNOWN_KEY_SECONDS + 1
    for number in range(20):
        with pytest.raises(PyJWKClientError):
            keys.key(f"unknown-{number}")

    assert server.asked == 2


def test_a_removed_key_is_refused_within_minutes(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.key("first")
    server.lists(SECOND)
    clock.now += key_sets.REFETCH_SECONDS + 1

    with pytest.raises(PyJWKClientError):
        keys.key("first")


@pytest.mark.parametrize("status", [500, 302, 404])
def test_the_last_good_keys_are_used_while_the_address_fails(
    server: KeyServer, keys: KeySet, clock: Clock, status: int
) -> None:
    keys.key("first")
    server.status = status
    clock.now += key_sets.REFETCH_SECONDS + 1

    assert keys.key("first").key_id == "first"
    assert "/elsewhere" not in server.paths


def test_the_last_good_keys_are_not_used_indefinitely(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.key("first")
    server.status = 500
    clock.now += key_sets.LAST_GOOD_SECONDS + 1

    with pytest.raises(PyJWKClientConnectionError):
        keys.key("first")


@pytest.mark.parametrize("body", INVALID)
def test_an_invalid_document_is_not_used(
    server: KeyServer, keys: KeySet, clock: Clock, body: bytes
) -> None:
    keys.key("first")
    server.body = body
    clock.now += key_sets.REFETCH_SECONDS + 1

    assert keys.key("first").key_id == "first"

    clock.now += key_sets.LAST_GOOD_SECONDS
    with pytest.raises(PyJWKClientConnectionError):
        keys.key("first")


def test_a_failed_address_is_not_asked_again_at_once(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    server.status = 500
    for _ in range(5):
        with pytest.raises(PyJWKClientConnectionError):
            keys.key("first")
    assert server.asked == 1

    server.lists(FIRST)
    clock.now += key_sets.FAILURE_PAUSE_SECONDS + 1
    assert keys.key("first").key_id == "first"


def test_a_closed_port_is_a_failed_address() -> None:
    with KeyServer() as closed:
        pass

    with pytest.raises(PyJWKClientConnectionError):
        KeySet(closed.url).key("first")


@pytest.mark.parametrize("part", ["status", "headers", "body"])
def test_a_set_that_arrives_byte_by_byte_is_cut_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(key_sets, "FETCH_SECONDS", 0.2)
    with SlowServer(part) as server:
        with pytest.raises(PyJWKClientConnectionError):
            KeySet(server.url).key("first")

        assert server.is_hung_up.wait(30)


def test_a_set_that_is_too_large_is_not_used(server: KeyServer, keys: KeySet) -> None:
    padding = b" " * provider_http.MAX_RESPONSE_BYTES
    server.body += padding

    with pytest.raises(PyJWKClientConnectionError):
        keys.key("first")


def test_members_use_the_last_good_set_while_one_request_fetches(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.key("first")
    clock.now += key_sets.REFETCH_SECONDS + 1
    server.may_answer.clear()
    fetching = threading.Thread(target=keys.key, args=["first"])
    fetching.start()
    assert server.is_asked.wait(30)

    for _ in range(3):  # would wait for the fetch if it held the lock
        assert keys.key("first").key_id == "first"
    assert fetching.is_alive()

    server.may_answer.set()
    fetching.join()
    assert server.asked == 2


def test_the_first_members_share_one_fetch(server: KeyServer, keys: KeySet) -> None:
    server.may_answer.clear()
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(keys.key("first").key_id)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert server.is_asked.wait(30)
    server.may_answer.set()
    for thread in threads:
        thread.join()

    assert found == ["first"] * 4
    assert server.asked == 1


def test_nothing_is_read_from_a_provider_after_the_deadline() -> None:
    reset = provider_http._deadline.set(time.monotonic() - 1)
    ours, theirs = socket.socketpair()
    try:
        theirs.sendall(b"late")
        with provider_http._DeadlineReader(ours) as reader, pytest.raises(TimeoutError):
            reader.read(4)
    finally:
        provider_http._deadline.reset(reset)
        ours.close()
        theirs.close()
