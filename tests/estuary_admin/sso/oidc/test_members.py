"""Roles, sessions and sign-out of members who sign in at a provider."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from estuary_admin.sso.config import Config, Provider
from estuary_admin.sso.models import Identity
from keys.audit.vocabulary import Action
from tests.conftest import PASSWORD
from tests.estuary_admin.sso.conftest import change
from tests.estuary_admin.sso.oidc.conftest import begin, come_back, sign_in
from tests.estuary_admin.sso.oidc.scripted_provider import ScriptedProvider
from tests.estuary_admin.sso.test_proxy_header import refused_as
from tests.keys.evidence import last_row, words_of

PAGE = "/account/"


def test_groups_decide_at_each_sign_in(provider: ScriptedProvider) -> None:
    sign_in(provider, sub="sub-other", preferred_username="other", groups=["admins"])
    admin = sign_in(provider, groups=["admins"]).client
    assert admin.get("/admin-tools/sso/").status_code == 200

    member = sign_in(provider, groups=["staff"]).client

    assert member.get("/admin-tools/sso/").status_code == 403
    assert admin.get("/admin-tools/sso/").status_code == 403


def test_groups_may_be_in_the_user_info(provider: ScriptedProvider) -> None:
    client = sign_in(provider, userinfo={"sub": "sub-alice", "groups": ["admins"]}).client

    assert client.get("/admin-tools/sso/").status_code == 200


def test_a_taken_name_waits_for_an_admin(provider: ScriptedProvider, alice: User) -> None:
    assert refused_as(sign_in(provider, email="alice@example.com")) == "pending"
    Identity.objects.update(state="linked")

    assert sign_in(provider).client.session["_auth_user_id"] == str(alice.pk)


def test_a_switched_off_member_cannot_sign_in(provider: ScriptedProvider) -> None:
    client = sign_in(provider).client
    User.objects.update(is_active=False)

    assert client.get(PAGE)["Location"].startswith("/accounts/login/")
    assert refused_as(sign_in(provider)) == "switched-off"


def test_old_cookies_do_not_work_after_switching_on_again(
    provider: ScriptedProvider,
) -> None:
    client = sign_in(provider).client
    member = User.objects.get()
    for is_active in (False, True):
        member.is_active = is_active
        member.save()

    assert client.get(PAGE)["Location"].startswith("/accounts/login/")


def test_removing_the_identity_ends_access_at_once(provider: ScriptedProvider) -> None:
    client = sign_in(provider).client
    Identity.objects.all().delete()

    assert client.get(PAGE)["Location"].startswith("/accounts/login/")
    assert last_row(Action.SSO_SESSION_ENDED).detail == {"reason": "identity-removed"}


def test_who_has_left_the_groups_is_out_in_every_browser(
    provider: ScriptedProvider, settings: Any
) -> None:
    change(settings, member_groups=frozenset({"staff"}))
    client = sign_in(provider, groups=["staff"]).client
    assert client.get(PAGE).status_code == 200

    assert refused_as(sign_in(provider, groups=["others"])) == "not-in-groups"

    assert client.get(PAGE)["Location"].startswith("/accounts/login/")


def test_signing_in_changes_the_session_key(provider: ScriptedProvider) -> None:
    client = Client()
    asked = begin(client)
    before = client.cookies["sessionid"].value
    provider.answers(nonce=asked["nonce"])

    come_back(client, asked)

    assert client.cookies["sessionid"].value != before


def test_the_cookie_ends_with_the_browser(provider: ScriptedProvider) -> None:
    cookie = sign_in(provider).client.cookies["sessionid"]

    assert (cookie["max-age"], cookie["expires"]) == ("", "")


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("/stats/", "/stats/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("abc", "/"),
        ("home", "/"),
        ("/accounts/oidc/corp/login/", "/"),
        ("/nothing/here/", "/"),
    ],
)
def test_next_leads_only_to_pages_of_the_console(
    provider: ScriptedProvider, wanted: str, there: str
) -> None:
    client = Client()
    asked = begin(client, next=wanted)
    provider.answers(nonce=asked["nonce"])

    assert come_back(client, asked)["Location"] == there


def test_signing_out_leads_to_the_provider(provider: ScriptedProvider) -> None:
    client = sign_in(provider).client

    response = client.post("/accounts/logout/")

    page = response.content.decode()
    back = "post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Faccounts%2Fsigned-out"
    assert f'href="{provider.url}/end?id_token_hint=' in page
    assert back in page
    assert response["Clear-Site-Data"]
    assert "_auth_user_id" not in client.session
    assert "asked to end its session" in words_of(client.get("/accounts/signed-out/everywhere/"))


def test_without_provider_sign_out_the_page_says_so(provider: ScriptedProvider) -> None:
    provider.described = {"end_session_endpoint": None}
    client = sign_in(provider).client

    assert client.post("/accounts/logout/")["Location"] == "/accounts/signed-out/"


def test_passwords_work_only_with_the_fallback(alice: User, settings: Any) -> None:
    form = {"login": "alice", "password": PASSWORD}
    client = Client()
    client.post("/accounts/login/", form)
    assert "_auth_user_id" not in client.session
    assert client.post("/accounts/local/", form).status_code == 404

    change(settings, local_fallback=True)
    client.post("/accounts/local/", form)

    assert client.get(PAGE).status_code == 200
    assert client.post("/accounts/logout/")["Location"] == "/accounts/local/"


def test_only_configured_providers_are_found(settings: Any) -> None:
    assert Client().post("/accounts/oidc/other/login/").status_code == 404
    assert Client().get("/accounts/oidc/other/callback/").status_code == 404
    assert Client().get("/accounts/oidc/corp/login/").status_code == 405
    change(settings, mode="local", providers=())
    assert Client().post("/accounts/oidc/corp/login/").status_code == 404


@pytest.mark.parametrize("name", ["other", "openid_connect", "Corp", "corp2"])
def test_with_two_providers_an_unknown_one_is_not_found(
    settings: Any, oidc: Config, name: str
) -> None:
    second = Provider("partner", "Partner", "https://id.example.org", "console")
    change(settings, providers=(*oidc.providers, second))

    assert Client().post(f"/accounts/oidc/{name}/login/").status_code == 404
    callback = Client().get(f"/accounts/oidc/{name}/callback/", {"code": "x", "state": "y"})
    assert callback.status_code == 404


def test_sign_ins_without_a_session_are_limited(settings: Any) -> None:
    answers = [Client().post("/accounts/oidc/corp/login/").status_code for _ in range(40)]

    assert answers.count(200) == 30
    assert set(answers) == {200, 429}
    for session in Session.objects.all():  # none is kept for long
        assert session.expire_date - timezone.now() <= timedelta(minutes=10)


def test_callbacks_without_a_sign_in_make_no_session() -> None:
    for query in ({}, {"code": "x", "state": "y"}, {"error": "access_denied"}):
        assert Client().get("/accounts/oidc/corp/callback/", query).status_code == 403

    assert not Session.objects.exists()


def test_a_long_code_is_accepted(provider: ScriptedProvider) -> None:
    client = Client()
    asked = begin(client)
    provider.answers(nonce=asked["nonce"])

    assert come_back(client, asked, code="c" * 4200)["Location"] == "/"
    assert len(provider.redeemed["code"]) == 4200


def test_starting_a_sign_in_needs_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)

    assert client.post("/accounts/oidc/corp/login/").status_code == 403


def test_tokens_of_the_provider_are_not_stored(provider: ScriptedProvider) -> None:
    from allauth.socialaccount.models import SocialAccount, SocialToken

    sign_in(provider)

    assert not SocialAccount.objects.exists()
    assert not SocialToken.objects.exists()
    assert "access" not in json.dumps(list(last_row(Action.SIGNED_IN).detail))


def test_a_provider_without_user_info_is_taken_by_its_id_token(
    provider: ScriptedProvider,
) -> None:
    provider.described = {"userinfo_endpoint": None}

    client = sign_in(provider, groups=["admins"]).client

    assert client.get("/admin-tools/sso/").status_code == 200
