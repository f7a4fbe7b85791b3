"""With REQUIRE_MFA, a member without a second factor can only add one or sign out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern

from estuary_admin.security.middleware import SecondFactorMiddleware
from keys.sandbox import Sandbox
from tests.conftest import HTMX, signed_in
from tests.estuary_admin.security.conftest import PAGE, code_of, type_password
from tests.estuary_admin.security.test_factors import ADD, REMOVE, add_app
from tests.estuary_admin.sso.conftest import Browser, change, proxied
from tests.estuary_admin.web.test_routes import path_of, routes
from tests.keys.evidence import asked, words_of

__all__ = ["proxied"]

PROBES = {"healthz", "readyz", "metrics"}  # which know no members


@pytest.fixture(autouse=True)
def _required(settings: Any) -> None:
    settings.REQUIRE_MFA = True


@pytest.mark.parametrize(
    "route",
    [route for route in routes() if route.name not in SecondFactorMiddleware.OPEN | PROBES],
    ids=lambda route: str(route.name),
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_every_other_route_leads_to_the_page_to_add_a_factor(
    route: URLPattern, headers: dict[str, str], browser: Client, node: Sandbox
) -> None:
    path = path_of(route) if "slug" not in str(route.pattern) else "/accounts/oidc/corp/login/"
    for method in ("GET", "POST", "DELETE"):
        response = browser.generic(method, path, headers=headers)

        assert response.get("HX-Redirect" if headers else "Location") == PAGE, method
    assert asked(node) == []


def test_the_page_says_why_and_signing_out_works(alice: User) -> None:
    client = signed_in(alice)
    page = client.get("/keys/", follow=True)
    assert "requires a second factor" in words_of(page)
    assert client.get(ADD).status_code == 200
    assert client.get(f"{PAGE}passkeys/add/").status_code == 200

    client.post("/accounts/logout/")

    assert "_auth_user_id" not in client.session


def test_adding_a_factor_opens_all_pages(alice: User) -> None:
    client = signed_in(alice)

    add_app(client)

    assert client.get("/account/").status_code == 200
    assert "This console requires" not in words_of(client.get(PAGE))


def test_adding_a_factor_opens_the_other_sessions(alice: User) -> None:
    client, other = signed_in(alice), signed_in(alice)
    add_app(client)

    assert other.get("/account/").status_code == 200


def test_recovery_codes_alone_are_not_enough(alice: User) -> None:
    Authenticator.objects.create(
        user=alice, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "", "used_mask": 0}
    )

    assert signed_in(alice).get("/account/")["Location"] == PAGE


def test_the_last_factor_cannot_be_removed(alice: User, app: Authenticator) -> None:
    client = signed_in(alice)
    for page in (client.get(REMOVE, follow=True), client.post(REMOVE, follow=True)):
        assert "add another before you remove it" in words_of(page)
    passkey = Authenticator.objects.create(
        user=alice, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop", "credential": {}}
    )

    assert client.post(REMOVE).status_code == 302
    for send in (client.get, client.post):
        page = send(f"{PAGE}passkeys/{passkey.pk}/remove/", follow=True)
        assert "add another before you remove it" in words_of(page)
    left = Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES)
    assert left.get() == passkey


def test_a_factor_removed_by_the_operator_is_required_again(
    alice: User, app: Authenticator
) -> None:
    client = Client()
    type_password(client)
    client.post("/accounts/login/code/", {"code": code_of()})
    assert client.get("/account/").status_code == 200

    Authenticator.objects.all().delete()
    again = Client()
    type_password(again)

    assert again.get("/account/")["Location"] == PAGE


def test_pages_make_no_query_for_a_known_factor(
    alice: User, app: Authenticator, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(alice)
    client.get("/exports/")

    with django_assert_max_num_queries(50) as seen:
        client.get("/exports/")
    assert not [one for one in seen.captured_queries if "mfa_authenticator" in one["sql"]]


def test_members_behind_a_proxy_need_no_factor(settings: Any, proxied: Any) -> None:
    change(settings, local_fallback=True)

    assert Browser("alice").get("/account/").status_code == 200


def test_require_mfa_without_local_sign_in_stops_the_start() -> None:
    environment = {
        **os.environ,
        "REQUIRE_MFA": "true",
        "SSO_MODE": "proxy-header",
        "SSO_PRESET": "authelia",
        "SSO_TRUSTED_PROXIES": "127.0.0.1",
    }
    started = subprocess.run(
        [sys.executable, "-c", "import tests.settings"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "REQUIRE_MFA is true, but SSO_MODE is 'proxy-header'" in started.stderr
