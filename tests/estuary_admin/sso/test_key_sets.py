"""Public keys: fetched seldom, changed at once, kept for a while when their address is down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError

from estuary_admin.sso import key_sets
from estuary_admin.sso.key_sets import KeySet
from tests.estuary_admin.sso.signer import KeyServer, SigningKey

FIRST, SECOND = SigningKey("first"), SigningKey("second")
LIES = [b"", b"<html>", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "eA"}]}']


class Clock:
    """What the keys and their cache take for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


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


def test_one_answer_serves_for_minutes(server: KeyServer, keys: KeySet, clock: Clock) -> None:
    for _ in range(3):
        assert keys.get_signing_key("first").key_id == "first"
    assert server.asked == 1

    clock.now += key_sets.FRESH + 1
    keys.get_signing_key("first")
    assert server.asked == 2


def test_a_new_key_is_fetched_when_it_is_first_used(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.get_signing_key("first")
    server.lists(FIRST, SECOND)
    clock.now += 31

    assert keys.get_signing_key("second").key_id == "second"


def test_made_up_key_ids_do_not_hammer_the_address(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.get_signing_key("first")
    clock.now += 31
    for number in range(20):
        with pytest.raises(PyJWKClientError):
            keys.get_signing_key(f"made-up-{number}")

    assert server.asked == 2


def test_a_key_that_is_taken_out_ends_within_minutes(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    keys.get_signing_key("first")
    server.lists(SECOND)
    clock.now += key_sets.FRESH + 1

    with pytest.raises(PyJWKClientError):
        keys.get_signing_key("first")


@pytest.mark.parametrize("status", [500, 302, 404])
def test_while_the_address_is_down_the_last_good_keys_hold(
    server: KeyServer, keys: KeySet, clock: Clock, status: int
) -> None:
    keys.get_signing_key("first")
    server.status = status
    clock.now += key_sets.FRESH + 1

    assert keys.get_signing_key("first").key_id == "first"
    assert "/elsewhere" not in server.paths


def test_not_for_ever(server: KeyServer, keys: KeySet, clock: Clock) -> None:
    keys.get_signing_key("first")
    server.status = 500
    clock.now += key_sets.KEPT + 1

    with pytest.raises(PyJWKClientConnectionError):
        keys.get_signing_key("first")


@pytest.mark.parametrize("lie", LIES)
def test_nonsense_is_no_key_set(server: KeyServer, keys: KeySet, clock: Clock, lie: bytes) -> None:
    keys.get_signing_key("first")
    server.body = lie
    clock.now += key_sets.FRESH + 1

    assert keys.get_signing_key("first").key_id == "first"

    clock.now += key_sets.KEPT
    with pytest.raises(PyJWKClientConnectionError):
        keys.get_signing_key("first")


def test_a_dead_address_is_not_waited_for_by_everybody(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    server.status = 500
    for _ in range(5):
        with pytest.raises(PyJWKClientConnectionError):
            keys.get_signing_key("first")
    assert server.asked == 1

    server.lists(FIRST)
    clock.now += key_sets.REST + 1
    assert keys.get_signing_key("first").key_id == "first"


def test_a_closed_port_is_a_dead_address(clock: Clock) -> None:
    with KeyServer() as closed:
        pass

    with pytest.raises(PyJWKClientConnectionError):
        KeySet(closed.url).get_signing_key("first")
