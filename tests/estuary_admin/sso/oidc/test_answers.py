"""The way to a provider and back, and all that may be wrong with its answers."""

from __future__ import annotations

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
from tests.estuary_admin.sso.oidc.scripted import ScriptedProvider
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


def test_somebody_comes_in_and_is_known_by_issuer_and_sub(provider: ScriptedProvider) -> None:
    response = sign_in(provider, email="alice@example.com", name="Alice Doe")

    assert response["Location"] == "/"
    identity = Identity.objects.get()
    assert (identity.source, identity.stable_id) == (provider.url, "sub-alice")
    assert (identity.member.username, identity.name) == ("alice", "Alice Doe")
    assert response.client.get(PAGE).status_code == 200
    assert last_row(Action.SIGNED_IN).actor == identity.member
    assert response.client.session["proved_at"] is None  # when it was there, was not told


def test_pkce_and_nonce_and_state_go_along(provider: ScriptedProvider) -> None:
    asked = begin(Client())

    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["nonce"]) == 64
    assert asked["state"]
    assert asked["redirect_uri"] == "http://localhost:8000/accounts/oidc/corp/callback/"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}


def test_the_code_is_redeemed_with_the_verifier(provider: ScriptedProvider) -> None:
    sign_in(provider)

    assert len(provider.redeemed["code_verifier"]) >= 43
    assert provider.redeemed["client_secret"] == "the-secret-of-the-client"


def test_a_request_cannot_widen_what_is_asked_for() -> None:
    client = Client()

    response = client.post(
        "/accounts/oidc/corp/login/?scope=admin&auth_params=prompt%3Dnone&process=connect"
    )

    assert "admin" not in response.content.decode()
    assert "prompt" not in response.content.decode()


def test_a_state_serves_once(provider: ScriptedProvider) -> None:
    client = Client()
    asked = begin(client)
    provider.answers(nonce=asked["nonce"])
    assert come_back(client, asked).status_code == 302
    client.post("/accounts/logout/")

    assert refused_as(come_back(client, asked)) == "provider-failed"


def test_a_state_of_another_browser_does_not_serve(provider: ScriptedProvider) -> None:
    asked = begin(Client())
    provider.answers(nonce=asked["nonce"])

    assert refused_as(come_back(Client(), asked)) == "provider-failed"
    assert provider.redeemed == {}


def test_a_forged_answer_does_not_end_a_session(provider: ScriptedProvider) -> None:
    client = sign_in(provider).client

    assert come_back(client, {"state": "made-up"}).status_code == 403
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
    ({"preferred_username": None}, "no-person"),
    ({"preferred_username": "a,root"}, "malformed-identity"),
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
    assert refused_as(sign_in(provider, **claims)) == reason
    assert not User.objects.exists()


@pytest.mark.parametrize("broken", ["token", "userinfo", "jwks"])
def test_a_provider_that_fails_half_way_lets_nobody_in(
    provider: ScriptedProvider, broken: str
) -> None:
    provider.broken = {broken}

    reason = refused_as(sign_in(provider))

    assert reason == ("keys-unavailable" if broken == "jwks" else "provider-failed")


def test_somebody_who_says_no_there_is_nobody_here(provider: ScriptedProvider) -> None:
    client = Client()
    asked = begin(client)

    query = {"error": "access_denied", "state": asked["state"]}

    assert refused_as(client.get("/accounts/oidc/corp/callback/", query)) == "provider-failed"


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

    assert refused_as(Client().post("/accounts/oidc/corp/login/")) == "provider-failed"


@pytest.mark.parametrize("part", ["status", "headers", "body"])
def test_a_provider_that_answers_byte_by_byte_is_given_up(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(provider_http, "EXCHANGE_SECONDS", 0.2)
    with SlowServer(part) as server:
        change(settings, providers=(Provider("corp", "Corp", server.url, "console"),))

        response = Client().post("/accounts/oidc/corp/login/")

        assert server.is_hung_up.wait(30)
    assert refused_as(response) == "provider-failed"


def test_a_provider_that_is_away_or_leads_elsewhere_is_told(provider: ScriptedProvider) -> None:
    provider.broken = {"discovery"}
    assert refused_as(Client().post("/accounts/oidc/corp/login/")) == "provider-failed"
