"""Signing in at a provider, and answers of the provider that are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin.sso import provider_http
from estuary_admin.sso.config import Provider
from estuary_admin.sso.models import Identity
from keys.audit.vocabulary import Action
from tests.estuary_admin.sso.conftest import change
from tests.estuary_admin.sso.oidc.conftest import begin, come_back, sign_in
from tests.estuary_admin.sso.oidc.scripted_provider import ScriptedProvider
from tests.estuary_admin.sso.signer import SigningKey
from tests.estuary_admin.sso.slow_server import SlowServer
from tests.estuary_admin.sso.test_proxy_header import refused_as
from tests.keys.evidence import last_row, words_of

PAGE = "/account/"
OTHER = SigningKey("other")


def test_the_sign_in_page_offers_the_providers() -> None:
    page = Client().get("/accounts/login/?next=/stats/")

    assert "Sign in with Corp" in words_of(page)
    assert 'name="next" value="/stats/"' in page.content.decode()
    assert "Password" not in words_of(page)


def test_a_person_is_identified_by_issuer_and_sub(provider: ScriptedProvider) -> None:
    response = sign_in(provider, email="alice@example.com", name="Alice Doe")

    assert response["Location"] == "/"
    identity = Identity.objects.get()
    assert (identity.source, identity.stable_id) == (provider.url, "sub-alice")
    assert (identity.member.username, identity.name) == ("alice", "Alice Doe")
    assert response.client.get(PAGE).status_code == 200
    assert last_row(Action.SIGNED_IN).actor == identity.member
    assert response.client.session["proved_at"] is None  # the provider sent no auth_time


def test_the_request_has_pkce_nonce_and_state(provider: ScriptedProvider) -> None:
    asked = begin(Client())

    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["nonce"]) == 64
    assert asked["state"]
    assert asked["redirect_uri"] == "http://localhost:8000/accounts/oidc/corp/callback/"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}


def test_the_code_is_exchanged_with_the_pkce_verifier(provider: ScriptedProvider) -> None:
    sign_in(provider)

    assert len(provider.redeemed["code_verifier"]) >= 43
    assert provider.redeemed["client_secret"] == "the-secret-of-the-client"


def test_parameters_of_a_request_cannot_widen_the_scope() -> None:
    client = Client()

    response = client.post(
        "/accounts/oidc/corp/login/?scope=admin&auth_params=prompt%3Dnone&process=connect"
    )

    assert "admin" not in response.content.decode()
    assert "prompt" not in response.content.decode()


def test_a_state_works_once(provider: ScriptedProvider) -> None:
    client = Client()
    asked = begin(client)
    provider.answers(nonce=asked["nonce"])
    assert come_back(client, asked).status_code == 302
    client.post("/accounts/logout/")

    assert refused_as(come_back(client, asked)) == "sign-in-lost"


def test_a_state_of_another_browser_is_refused(provider: ScriptedProvider) -> None:
    asked = begin(Client())
    provider.answers(nonce=asked["nonce"])

    assert refused_as(come_back(Client(), asked)) == "sign-in-lost"
    assert provider.redeemed == {}


def test_a_forged_answer_does_not_end_a_session(provider: ScriptedProvider) -> None:
    client = sign_in(provider).client

    assert come_back(client, {"state": "made-up"})["Location"] == "/"
    assert client.get(PAGE).status_code == 200


@pytest.mark.parametrize("query", [{}, {"state": ""}, {"code": "x"}, {"error": "access_denied"}])
def test_a_bookmarked_callback_redirects_a_signed_in_member(
    provider: ScriptedProvider, query: dict[str, str]
) -> None:
    client = sign_in(provider).client

    response = client.get("/accounts/oidc/corp/callback/", query, follow=True)

    words = words_of(response)
    assert "You are already signed in" in words
    assert "You are not signed in" not in words


def test_the_back_button_redirects_a_signed_in_member(provider: ScriptedProvider) -> None:
    client = Client()
    asked = begin(client)
    provider.answers(nonce=asked["nonce"])
    assert come_back(client, asked).status_code == 302

    assert come_back(client, asked)["Location"] == "/"


def test_a_second_tab_redirects_a_signed_in_member(provider: ScriptedProvider) -> None:
    client = Client()
    first, second = begin(client), begin(client)
    provider.answers(nonce=first["nonce"])
    assert come_back(client, first).status_code == 302
    provider.answers(nonce=second["nonce"])

    assert come_back(client, second)["Location"] == "/"
    assert client.get(PAGE).status_code == 200


def test_the_answer_of_another_sign_in_is_refused(provider: ScriptedProvider) -> None:
    first, second = begin(Client()), Client()
    asked = begin(second)
    provider.answers(nonce=first["nonce"])

    assert refused_as(come_back(second, asked)) == "wrong-nonce"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"nonce": None}, "wrong-nonce"),
    ({"iss": "https://evil.example"}, "wrong-issuer"),
    ({"aud": "another"}, "wrong-audience"),
    ({"aud": ["console", "another"], "azp": "another"}, "wrong-audience"),
    ({"exp": 1}, "expired"),
    ({"sub": ""}, "incomplete-assertion"),
    ({"sub": None}, "incomplete-assertion"),
    ({"preferred_username": None}, "incomplete-assertion"),
    ({"sub": 7}, "malformed-claim"),
    ({"sub": ["x"]}, "malformed-claim"),
    ({"preferred_username": "a,root"}, "malformed-claim"),
    ({"preferred_username": 7}, "malformed-claim"),
    ({"groups": "staff", "sub": "\u2800"}, "malformed-claim"),
    ({"key": OTHER}, "unknown-key"),
    ({"alg_none": True}, "wrong-algorithm"),
    ({"no_id_token": True}, "not-an-assertion"),
    ({"userinfo": {"sub": "somebody-else"}}, "mixed-up"),
    ({"userinfo": ["x"]}, "mixed-up"),
]


@pytest.mark.parametrize(("claims", "reason"), WRONG)
def test_a_wrong_answer_is_refused(
    provider: ScriptedProvider, claims: dict[str, Any], reason: str
) -> None:
    response = sign_in(provider, **claims)

    assert refused_as(response) == reason
    assert not re.search("proxy|header|SSO_JWT|client.* secret", words_of(response), re.IGNORECASE)
    assert not User.objects.exists()


@pytest.mark.parametrize("broken", ["token", "userinfo", "jwks"])
def test_a_failing_endpoint_signs_nobody_in(provider: ScriptedProvider, broken: str) -> None:
    provider.broken = {broken}

    reasons = {"token": "provider-busy", "userinfo": "user-info-failed", "jwks": "keys-unavailable"}

    assert refused_as(sign_in(provider)) == reasons[broken]


NESTED = b"[" * 100_000


@pytest.mark.parametrize(
    ("endpoint", "body", "reason"),
    [
        ("discovery", NESTED, "provider-unavailable"),
        ("token", NESTED, "provider-failed"),
        ("token", b'"access_token"', "provider-failed"),
        ("token", b'["access_token"]', "provider-failed"),
        ("token", b'{"access_token": "a", "expires_in": "soon"}', "not-an-assertion"),
        ("token", b'{"access_token": "a", "expires_in": 1e300}', "not-an-assertion"),
        ("userinfo", NESTED, "user-info-failed"),
        ("jwks", NESTED, "keys-unavailable"),
        ("jwks", b'{"keys": [1, null, {"kty": "RSA", "n": 1, "e": []}]}', "keys-unavailable"),
    ],
)
def test_an_answer_of_another_shape_signs_nobody_in(
    provider: ScriptedProvider, endpoint: str, body: bytes, reason: str
) -> None:
    provider.raw = {endpoint: body}

    if endpoint == "discovery":
        response: Any = Client().post("/accounts/oidc/corp/login/")
    else:
        response = sign_in(provider)

    assert refused_as(response) == reason


ERRORS = [
    ("access_denied", "cancelled"),
    ("server_error", "provider-busy"),
    ("temporarily_unavailable", "provider-busy"),
    ("invalid_scope", "provider-declined"),
    ("<script>", "provider-declined"),
]


@pytest.mark.parametrize("has_state", [True, False])
@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_an_error_of_the_provider_gets_its_own_reason(
    error: str, reason: str, has_state: bool
) -> None:
    client = Client()
    asked = begin(client)
    query = {"error": error} | ({"state": asked["state"]} if has_state else {})

    response = client.get("/accounts/oidc/corp/callback/", query)

    assert refused_as(response) == reason
    assert "secret" not in words_of(response).lower()
    assert "<script>" not in words_of(response)


def test_a_refused_client_secret_is_reported(provider: ScriptedProvider) -> None:
    provider.refused = {"token"}

    assert refused_as(sign_in(provider)) == "provider-failed"


DISCOVERIES: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"},
    {"token_endpoint": "http://evil.example/token"},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"jwks_uri": 1},
]


@pytest.mark.parametrize("changed", DISCOVERIES)
def test_a_provider_that_describes_itself_wrongly_is_not_used(
    provider: ScriptedProvider, changed: dict[str, Any]
) -> None:
    provider.described = changed

    assert refused_as(Client().post("/accounts/oidc/corp/login/")) == "provider-unavailable"


@pytest.mark.parametrize("part", ["status", "headers", "body"])
def test_a_provider_that_answers_byte_by_byte_is_cut_off(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(provider_http, "EXCHANGE_SECONDS", 0.2)
    with SlowServer(part) as server:
        change(settings, providers=(Provider("corp", "Corp", server.url, "console"),))

        response = Client().post("/accounts/oidc/corp/login/")

        assert server.is_hung_up.wait(30)
    assert refused_as(response) == "provider-unavailable"


def test_a_provider_that_redirects_is_reported(provider: ScriptedProvider) -> None:
    provider.broken = {"discovery"}
    assert refused_as(Client().post("/accounts/oidc/corp/login/")) == "provider-unavailable"
