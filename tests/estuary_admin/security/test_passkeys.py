"""Passkeys are accepted only from the exact origin of PUBLIC_URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from estuary_admin.security import passkeys
from tests.conftest import signed_in
from tests.estuary_admin.security.conftest import CODE, PROOF, is_in, type_password
from tests.estuary_admin.security.software_passkey import (
    ORIGIN,
    PASSKEY_SIGN_IN,
    SoftwarePasskey,
    add_passkey,
    options_for_sign_in,
    options_on,
    sign_in_with,
)
from tests.keys.evidence import words_of

FOREIGN = [
    "http://x.localhost:8000",
    "http://x.localhost:8117",
    "http://localhost",
    "http://localhost:8001",
    "https://localhost:8000",
    "https://x.localhost:8000",
    "https://localhost",
    "https://evil.example",
    "http://localhost:8000/",
    "http://localhost:8000.evil.example",
    "http://LOCALHOST:8000",
    "android:apk-key-hash:abc",
    "null",
    "",
]


@pytest.fixture
def passkey(alice: User) -> SoftwarePasskey:
    response, made = add_passkey(signed_in(alice))
    assert response.status_code == 302
    return made  # type: ignore[no-any-return]


def test_a_passkey_signs_in_alone(passkey: SoftwarePasskey) -> None:
    client = Client()

    assert sign_in_with(client, passkey)["Location"] == "/"
    assert is_in(client)


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_sign_in_from_another_origin_is_refused(passkey: SoftwarePasskey, origin: str) -> None:
    client = Client()

    sign_in_with(client, passkey, origin)

    assert not is_in(client)


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_passkey_from_another_origin_is_not_added(alice: User, origin: str) -> None:
    response, _ = add_passkey(signed_in(alice), origin)

    assert response.status_code == 200
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("origin", [ORIGIN, "http://x.localhost:8000"])
def test_the_second_step_and_the_confirmation_compare_the_origin_too(
    passkey: SoftwarePasskey, alice: User, clock: Any, origin: str
) -> None:
    halfway = Client()
    type_password(halfway)
    answer = passkey.sign_in(options_on(halfway.get(CODE)), origin)
    halfway.post(CODE, {"credential": answer})
    client = signed_in(alice)
    clock.shift(16 * 60)
    answer = passkey.sign_in(options_on(client.get(PROOF)), origin)

    response = client.post(PROOF, {"way": "passkey", "credential": answer})

    assert is_in(halfway) is (origin == ORIGIN)
    assert (response.status_code == 302) is (origin == ORIGIN)


def test_a_page_inside_a_frame_of_another_site_is_refused(passkey: SoftwarePasskey) -> None:
    client = Client()

    sign_in_with(client, passkey, crossOrigin=True, topOrigin="https://evil.example")

    assert not is_in(client)


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://keys.example.com", "https://keys.example.com"),
        ("https://keys.example.com:443", "https://keys.example.com"),
        ("https://Keys.Example.com:8443/estuary", "https://keys.example.com:8443"),
        ("https://schlüssel.example", "https://xn--schlssel-95a.example"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(
    alice: User, settings: Any, public_url: str, origin: str
) -> None:
    settings.PUBLIC_URL = urlsplit(public_url)
    client = signed_in(alice)
    page = client.get("/accounts/security/passkeys/add/")
    options = options_on(page)
    credential = SoftwarePasskey(options["rp"]["id"]).register(options, origin)

    client.post("/accounts/security/passkeys/add/", {"name": "x", "credential": credential})

    assert Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()


def test_a_passkey_of_a_switched_off_member_is_not_told_from_an_unknown_one(
    passkey: SoftwarePasskey, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    known, unknown = Client(), Client()

    pages = [
        words_of(client.get(sign_in_with(client, one)["Location"]))
        for client, one in ((known, passkey), (unknown, SoftwarePasskey()))
    ]

    assert pages[0] == pages[1]
    assert "This passkey is not known here" in pages[0]
    assert not is_in(known)


def test_signed_out_attempts_create_no_sessions(passkey: SoftwarePasskey) -> None:
    before = Session.objects.count()
    for number in range(10):
        client = Client(REMOTE_ADDR=f"198.51.100.{number}")
        response = sign_in_with(client, SoftwarePasskey())
        assert "This passkey is not known here" in words_of(client.get(response["Location"]))

    assert Session.objects.count() == before


def test_a_challenge_is_accepted_once(passkey: SoftwarePasskey) -> None:
    client, thief = Client(), Client()
    answer = passkey.sign_in(options_for_sign_in(client))
    cookie = client.cookies["passkey"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    thief.cookies["passkey"] = cookie.value
    client.post(PASSKEY_SIGN_IN, {"credential": answer})
    assert is_in(client)

    thief.post(PASSKEY_SIGN_IN, {"credential": answer})

    assert not is_in(thief)


@pytest.mark.parametrize("cookie", ["", "x", "eyJjaGFsbGVuZ2UiOiJ4In0:1vOabc:forged"])
def test_a_forged_challenge_is_refused(passkey: SoftwarePasskey, cookie: str) -> None:
    client = Client()
    answer = passkey.sign_in(options_for_sign_in(client))
    client.cookies["passkey"] = cookie

    client.post(PASSKEY_SIGN_IN, {"credential": answer})

    assert not is_in(client)


def test_a_challenge_expires_after_five_minutes(passkey: SoftwarePasskey, clock: Any) -> None:
    client = Client()
    answer = passkey.sign_in(options_for_sign_in(client))
    clock.shift(301)

    client.post(PASSKEY_SIGN_IN, {"credential": answer})

    assert not is_in(client)


@pytest.mark.parametrize("nested", ["[" * 31_000, "[" * 200_000, '{"a":' * 5_000])
def test_a_deeply_nested_answer_is_refused(alice: User, nested: str) -> None:
    client = signed_in(alice)

    response = Client().post(PASSKEY_SIGN_IN, {"credential": nested})
    page = client.post("/accounts/security/passkeys/add/", {"name": "x", "credential": nested})

    assert response["Location"] == "/accounts/login/?passkey=unknown"
    assert page.status_code == 200


def test_an_unknown_passkey_keeps_the_page_that_was_asked_for(
    passkey: SoftwarePasskey, alice: User
) -> None:
    Authenticator.objects.all().delete()
    client = Client()
    credential = passkey.sign_in(options_for_sign_in(client))

    there = {"credential": credential, "next": "/stats/"}
    response = client.post(PASSKEY_SIGN_IN, there)

    assert response["Location"] == "/accounts/login/?passkey=unknown&next=%2Fstats%2F"
    assert not is_in(client)


@pytest.mark.parametrize("host", ["x" * 64 + ".example.com", "a..example.com"])
def test_a_host_that_idna_cannot_write_is_kept_as_it_is(settings: Any, host: str) -> None:
    settings.PUBLIC_URL = urlsplit(f"https://{host}")

    assert passkeys.relying_party_id() == host
