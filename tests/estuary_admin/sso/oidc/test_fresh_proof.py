"""A fresh proof at the provider: it must be recent and by the same person."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from estuary_admin.sso.models import Identity
from keys.audit.vocabulary import Action
from tests.estuary_admin.security.conftest import code_of
from tests.estuary_admin.security.test_factors import ADD, add_app
from tests.estuary_admin.sso.conftest import change
from tests.estuary_admin.sso.oidc.conftest import begin, come_back, sign_in
from tests.estuary_admin.sso.oidc.scripted_provider import ScriptedProvider
from tests.keys.evidence import last_row, words_of

CONNECT = "/account/token/"
PROOF = "/accounts/reauthenticate/"


@pytest.fixture
def client(provider: ScriptedProvider) -> Client:
    """Alice, signed in at a provider that sends no auth_time."""
    client = Client()
    sign_in(provider, client)
    return client


def prove(provider: ScriptedProvider, client: Client, **claims: Any) -> Any:
    asked = begin(client, proof="yes", next=CONNECT)
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    provider.answers(**{"nonce": asked["nonce"], "auth_time": int(time.time()), **claims})
    response = come_back(client, asked)
    if response.status_code == 302:  # through the page that asked
        response = client.get(response["Location"])
    return response


def test_an_ordinary_sign_in_does_not_force_a_login(provider: ScriptedProvider) -> None:
    assert not {"prompt", "max_age"} & begin(Client()).keys()


def test_a_recent_auth_time_at_sign_in_is_a_proof(provider: ScriptedProvider) -> None:
    for age, status in ((0, 200), (14 * 60, 200), (16 * 60, 302), (-3600, 302)):
        client = Client()
        sign_in(provider, client, auth_time=int(time.time()) - age)
        assert client.get(CONNECT).status_code == status, age


def test_an_open_session_at_the_provider_is_not_a_proof(client: Client) -> None:
    assert client.get("/account/").status_code == 200
    assert client.get(CONNECT)["Location"].startswith(PROOF)


def test_a_fresh_proof_leads_to_the_provider_and_back(
    provider: ScriptedProvider, client: Client
) -> None:
    key = client.session.session_key
    page = words_of(client.get(f"{PROOF}?next={CONNECT}"))
    assert "Sign in again with Corp" in page
    assert "password" not in page

    response = prove(provider, client)

    assert response["Location"] == CONNECT
    assert client.get(CONNECT).status_code == 200
    assert client.session.session_key == key  # forms in other tabs stay valid
    assert last_row(Action.PROOF_GIVEN).detail == {"way": "provider"}


@pytest.mark.parametrize(
    "auth_time", [None, 0, -1, "", "now", [], {}, 1e300, True, -60, -3600, 3600, 10**9]
)
def test_an_old_or_missing_auth_time_is_refused(
    provider: ScriptedProvider, client: Client, auth_time: Any
) -> None:
    if auth_time in (-60, -3600, 3600):
        auth_time = int(time.time()) + auth_time

    response = prove(provider, client, auth_time=auth_time)

    assert response.status_code == 403
    assert "does not confirm that you signed in just now" in words_of(response)
    assert "you are still signed in" in words_of(response)
    assert client.get("/account/").status_code == 200
    assert client.get(CONNECT)["Location"].startswith(PROOF)
    assert last_row(Action.PROOF_FAILED).detail == {"reason": "no-fresh-proof"}


def test_a_proof_by_another_person_is_refused(provider: ScriptedProvider, client: Client) -> None:
    sign_in(provider, sub="sub-bob", preferred_username="bob")
    before = dict(client.session.items())

    response = prove(provider, client, sub="sub-bob", preferred_username="bob")

    assert response.status_code == 403
    assert "A different person signed in at the provider" in words_of(response)
    assert client.session["_auth_user_id"] == before["_auth_user_id"]
    assert client.get(CONNECT).status_code == 302


def test_a_proof_cancelled_at_the_provider_leaves_the_session(client: Client) -> None:
    asked = begin(client, proof="yes", next=CONNECT)
    query = {"error": "access_denied", "state": asked["state"]}

    response = client.get("/accounts/oidc/corp/callback/", query)

    words = words_of(response)
    assert "The sign-in was cancelled at the provider. Nothing was changed" in words
    assert "you are still signed in" in words
    assert "secret" not in words.lower()
    assert last_row(Action.PROOF_FAILED).detail == {"reason": "cancelled"}
    assert client.get("/account/").status_code == 200


def test_a_proof_does_not_sign_in_a_signed_out_member(
    provider: ScriptedProvider, client: Client
) -> None:
    asked = begin(client, proof="yes", next=CONNECT)
    session = client.session
    for name in ("_auth_user_id", "_auth_user_backend", "_auth_user_hash"):
        del session[name]
    session.save()
    provider.answers(nonce=asked["nonce"], auth_time=int(time.time()))

    response = come_back(client, asked)

    assert response.status_code == 403
    assert "still signed in" not in words_of(response)
    assert "_auth_user_id" not in client.session


def test_a_proof_after_losing_the_identity_ends_the_session(
    provider: ScriptedProvider, client: Client
) -> None:
    asked = begin(client, proof="yes", next=CONNECT)
    Identity.objects.update(state=Identity.State.PENDING)
    provider.answers(nonce=asked["nonce"], auth_time=int(time.time()))

    assert come_back(client, asked).status_code in {302, 403}
    assert client.get("/account/").status_code == 302


def test_a_fresh_proof_updates_the_role(provider: ScriptedProvider, client: Client) -> None:
    sign_in(provider, sub="sub-root", preferred_username="root", groups=["admins"])

    prove(provider, client, groups=["admins"])

    assert client.get("/admin-tools/sso/").status_code == 200


def test_typed_fields_are_kept_during_a_proof(provider: ScriptedProvider, client: Client) -> None:
    client.post(CONNECT, {"token": "EST-made-up-for-a-test-ARY"})

    prove(provider, client)

    page = words_of(client.get(CONNECT))
    assert "is kept here, sealed" in page
    assert "Nothing has been changed yet" in page


def test_without_auth_time_an_app_can_be_added_after_sign_in(
    client: Client,
) -> None:
    response, _ = add_app(client)

    assert response.status_code == 302
    assert client.get(CONNECT).status_code == 200


def test_the_first_factor_needs_a_proof_later(client: Client) -> None:
    session = client.session
    session["signed_in_at"] -= 16 * 60
    session.save()

    assert client.get(ADD)["Location"].startswith(PROOF)


def test_the_second_factor_always_needs_a_proof(client: Client) -> None:
    _, secret = add_app(client)
    session = client.session
    del session["proved_at"]
    session.save()

    assert client.get("/accounts/security/passkeys/add/")["Location"].startswith(PROOF)
    client.post(PROOF, {"way": "code", "code": code_of(secret, 1), "next": CONNECT})
    assert client.get(CONNECT).status_code == 200


def test_passwords_and_second_steps_do_not_work(client: Client) -> None:
    client.post(PROOF, {"way": "password", "password": "correct horse battery"})

    assert client.get(CONNECT).status_code == 302
    assert client.get("/accounts/password/change/").status_code == 404
    assert client.get("/accounts/login/code/").status_code == 404
    assert client.get("/accounts/login/passkey/").status_code == 404


def test_a_proof_by_a_member_who_is_no_longer_admitted_ends_the_session(
    provider: ScriptedProvider, client: Client, settings: Any
) -> None:
    asked = begin(client, proof="yes", next=CONNECT)
    change(settings, member_groups=frozenset({"staff"}))
    provider.answers(nonce=asked["nonce"], auth_time=int(time.time()), groups=["former"])

    response = come_back(client, asked)

    assert response.status_code == 403
    assert "_auth_user_id" not in client.session
