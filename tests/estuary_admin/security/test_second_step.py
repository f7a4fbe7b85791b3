"""Sign-in with password and code; the browser tests cover passkeys."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client

from keys.audit.vocabulary import Action
from tests.estuary_admin.security.conftest import (
    CODE,
    LOGIN,
    code_of,
    is_in,
    recovery_codes_of,
    type_password,
)
from tests.keys.evidence import audited, last_row, words_of

PASSKEY = "/accounts/login/passkey/"


@pytest.fixture
def halfway(app: Authenticator) -> Client:
    """Alice has typed her password."""
    client = Client()
    assert type_password(client, next="/stats/")["Location"] == CODE
    return client


def test_the_password_alone_does_not_sign_in(halfway: Client) -> None:
    assert not is_in(halfway)
    assert halfway.get("/keys/")["Location"] == f"{LOGIN}?next=/keys/"
    assert audited() == []


def test_the_code_of_the_app_completes_the_sign_in(halfway: Client, alice: User) -> None:
    assert "Your second factor" in words_of(halfway.get(CODE))

    response = halfway.post(CODE, {"code": code_of()})

    assert response["Location"] == "/stats/"
    assert is_in(halfway)
    assert last_row(Action.FACTOR_USED).detail == {"factor": "app"}
    assert last_row(Action.SIGNED_IN).actor == alice


def test_a_recovery_code_works_once(halfway: Client, alice: User) -> None:
    code = recovery_codes_of(alice)[3]
    halfway.post(CODE, {"code": code})
    assert is_in(halfway)
    assert last_row(Action.FACTOR_USED).detail == {"factor": "recovery codes"}

    again = Client()
    type_password(again)
    page = again.post(CODE, {"code": code})

    assert "This code is not valid" in words_of(page)
    assert not is_in(again)
    assert len(recovery_codes_of(alice)) == 9


def test_a_code_works_once(app: Authenticator) -> None:
    with time_machine.travel("2026-11-25 12:00:10+00:00", tick=False) as clock:
        code = code_of()
        first, second = Client(), Client()
        for client in (first, second):
            type_password(client)
        first.post(CODE, {"code": code})
        clock.shift(40)  # still within what clocks may differ by

        second.post(CODE, {"code": code})

        assert is_in(first)
        assert not is_in(second)


@pytest.mark.parametrize(("ahead", "fits"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_clocks_may_differ_by_half_a_minute(halfway: Client, ahead: int, fits: bool) -> None:
    halfway.post(CODE, {"code": code_of(ahead=ahead)})

    assert is_in(halfway) is fits


def test_wrong_codes_are_recorded_and_throttled(halfway: Client, alice: User) -> None:
    for _ in range(5):
        assert "This code is not valid" in words_of(halfway.post(CODE, {"code": "000000"}))

    page = halfway.post(CODE, {"code": code_of()})

    assert "Too many" in words_of(page)
    assert not is_in(halfway)
    assert audited() == [("factor:failed", "refused")] * 5 + [("member:throttled", "refused")]
    assert last_row(Action.FACTOR_FAILED).actor == alice


def test_a_code_without_a_password_is_refused(app: Authenticator) -> None:
    client = Client()

    assert client.get(CODE)["Location"] == LOGIN
    assert client.post(CODE, {"code": code_of()})["Location"] == LOGIN
    assert not is_in(client)


def test_signing_out_at_the_second_step_allows_another_account(halfway: Client) -> None:
    halfway.post("/accounts/logout/")

    assert halfway.get(LOGIN).status_code == 200
    assert halfway.get(CODE)["Location"] == LOGIN


def test_a_switched_off_member_is_refused_at_the_second_step(halfway: Client, alice: User) -> None:
    alice.is_active = False
    alice.save()

    halfway.post(CODE, {"code": code_of()})

    assert halfway.get("/keys/").status_code == 302
    assert not is_in(halfway) or halfway.get("/keys/")["Location"].startswith(LOGIN)


def test_an_unreadable_factor_refuses_the_sign_in_and_says_so(
    halfway: Client, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = ["b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28="]

    page = halfway.post(CODE, {"code": code_of()})

    assert "can no longer read your second factor" in words_of(page)
    assert not is_in(halfway)


@pytest.mark.parametrize("answer", ["", "x", "[]", "{}", '{"response": {"userHandle": 7}}', "null"])
def test_a_malformed_passkey_answer_is_refused(app: Authenticator, answer: str) -> None:
    client = Client()
    assert client.get(PASSKEY, headers={"Accept": "application/json"}).json()["options"]

    response = client.post(PASSKEY, {"credential": answer}, follow=True)

    assert "This passkey is not known here" in words_of(response)
    assert not is_in(client)


@pytest.mark.django_db
def test_asking_for_passkeys_is_throttled() -> None:
    client = Client()
    answers = [
        client.get(PASSKEY, headers={"Accept": "application/json"}).status_code for _ in range(31)
    ]

    assert answers == [200] * 30 + [429]
    assert client.post(PASSKEY, {"credential": "{}"}).status_code == 429
