"""Wrong passwords of strangers do not keep a member out on a known device or address."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin.security import known_devices
from estuary_admin.security.models import KnownAddress
from tests.conftest import PASSWORD, signed_in
from tests.estuary_admin.security.conftest import LOGIN, is_in, prove
from tests.keys.evidence import words_of

HOME, OFFICE, ELSEWHERE = "203.0.113.7", "203.0.113.80", "198.51.100.1"


def sign_in(client: Client, password: str = PASSWORD, name: str = "alice", **extra: Any) -> bool:
    client.post(LOGIN, {"login": name, "password": password}, **extra)
    return is_in(client)


def sign_out(client: Client) -> None:
    client.post("/accounts/logout/")


def strangers_try(name: str = "alice") -> None:
    for number in range(6):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "wrong", name)


@pytest.fixture
def used_before(alice: User) -> Client:
    """A browser in which Alice has signed in at home."""
    client = Client(REMOTE_ADDR=HOME)
    assert sign_in(client)
    sign_out(client)
    return client


def test_a_browser_used_before_signs_in_from_anywhere(used_before: Client) -> None:
    strangers_try()

    assert sign_in(used_before, REMOTE_ADDR=ELSEWHERE)


def test_an_address_used_before_signs_in_with_any_browser(used_before: Client) -> None:
    strangers_try()

    assert sign_in(Client(REMOTE_ADDR=HOME))


def test_any_spelling_of_the_name_counts_as_the_same_member(alice: User) -> None:
    for number, name in enumerate(["alice", "Alice", "ALICE", " alice", "alice "]):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "wrong", name)

    assert not sign_in(Client(REMOTE_ADDR=ELSEWHERE), name="aLice")


def test_strangers_are_stopped_and_told_of_the_passkey(used_before: Client) -> None:
    strangers_try()
    client = Client(REMOTE_ADDR=ELSEWHERE)

    page = client.post(LOGIN, {"login": "alice", "password": PASSWORD})

    assert "or sign in with a passkey now" in words_of(page)
    assert "Use a passkey" in words_of(page)
    assert not is_in(client)


def test_guesses_in_a_known_browser_are_limited_too(used_before: Client) -> None:
    for _ in range(5):
        assert not sign_in(used_before, "wrong")

    assert not sign_in(used_before)


def test_the_browser_of_another_member_is_a_stranger(used_before: Client, carol: User) -> None:
    other = Client(REMOTE_ADDR=OFFICE)
    assert sign_in(other, name="carol")
    sign_out(other)
    strangers_try()

    assert not sign_in(other)


@pytest.mark.parametrize("cookie", ["", "x", "eyJpZCI6IngiLCJtZW1iZXJzIjpbMV19:1vOabc:forged"])
def test_a_forged_cookie_is_ignored(used_before: Client, cookie: str) -> None:
    strangers_try()
    client = Client(REMOTE_ADDR=ELSEWHERE)
    client.cookies["device"] = cookie

    assert not sign_in(client)


def test_a_browser_is_forgotten_after_half_a_year(used_before: Client, clock: Any) -> None:
    client = Client(REMOTE_ADDR=OFFICE)
    assert sign_in(client)
    sign_out(client)
    clock.shift(181 * 24 * 3600)
    strangers_try()

    assert not sign_in(client, REMOTE_ADDR=ELSEWHERE)


def test_one_browser_is_remembered_for_several_members(used_before: Client, carol: User) -> None:
    assert sign_in(used_before, name="carol")
    sign_out(used_before)
    strangers_try("alice")
    strangers_try("carol")

    assert sign_in(used_before, REMOTE_ADDR=ELSEWHERE)
    sign_out(used_before)
    assert sign_in(used_before, name="carol", REMOTE_ADDR=ELSEWHERE)


def test_strangers_do_not_stop_a_confirmation(alice: User, clock: Any) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    strangers_try()

    assert prove(client, "/keys/new/")["Location"] == "/keys/new/"


def test_the_cookie_is_for_the_server_alone(alice: User) -> None:
    client = Client()
    assert not sign_in(client, "wrong")
    assert "device" not in client.cookies

    sign_in(client)

    cookie = client.cookies["device"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert cookie["max-age"] == 180 * 24 * 3600


def test_only_the_latest_addresses_are_kept(
    alice: User, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_devices, "MAX_ADDRESSES", 2)
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.3"):
        sign_in(Client(REMOTE_ADDR=address))
        clock.shift(60)

    kept = KnownAddress.objects.order_by("address").values_list("address", flat=True)
    assert list(kept) == ["203.0.113.2", "203.0.113.3"]


def test_an_ipv6_address_counts_by_its_network(alice: User) -> None:
    sign_in(Client(REMOTE_ADDR="2001:db8:1:2:aaaa::1"))
    strangers_try()

    assert sign_in(Client(REMOTE_ADDR="2001:db8:1:2:bbbb::2"))
    assert not sign_in(Client(REMOTE_ADDR="2001:db8:1:3:aaaa::1"))
