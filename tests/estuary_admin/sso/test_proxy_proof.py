"""Fresh proofs behind a proxy: by the time in the assertion, or by a factor of this console."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.contrib.auth.models import User

from estuary_admin.sso.config import Config
from keys.audit.vocabulary import Action
from tests.conftest import PASSWORD
from tests.estuary_admin.security.conftest import PAGE, app, code_of
from tests.estuary_admin.security.test_factors import ADD, add_app
from tests.estuary_admin.sso.conftest import Browser, change
from tests.estuary_admin.sso.signer import claims
from tests.estuary_admin.sso.test_proxy_jwt import HEADER, KEY, browser, keys, signed
from tests.keys.evidence import last_row, words_of

__all__ = ["app", "keys", "signed"]

CONNECT = "/account/token/"
PROOF = "/accounts/reauthenticate/"


@pytest.fixture
def headers_only(proxied: Config) -> Browser:
    """Mode `proxy-header`, which does not say when a person signed in."""
    return Browser("alice")


def asks(browser: Browser) -> bool:
    response = browser.get(CONNECT)
    return response.status_code == 302 and response["Location"].startswith(PROOF)


@pytest.mark.parametrize(("age", "is_asked"), [(0, False), (840, False), (960, True), (-90, True)])
def test_a_recent_auth_time_is_a_proof(settings: LazySettings, age: int, is_asked: bool) -> None:
    change(settings, preset="oauth2-proxy")

    assert asks(browser(KEY.sign(claims(auth_time=int(time.time()) - age)))) is is_asked


@pytest.mark.parametrize(
    ("preset", "is_asked"),
    [
        ("cloudflare-access", False),
        ("google-iap", True),
        ("pomerium", True),
        ("authentik", True),
        ("oauth2-proxy", True),
        ("", True),
    ],
)
def test_iat_is_a_proof_only_with_cloudflare_access(
    settings: LazySettings, preset: str, is_asked: bool
) -> None:
    change(settings, preset=preset)

    assert asks(browser(KEY.sign(claims()))) is is_asked


def test_auth_time_is_preferred_to_iat() -> None:
    assert asks(browser(KEY.sign(claims(auth_time=int(time.time()) - 3600))))


def test_an_old_assertion_asks_the_member_to_sign_in_again() -> None:
    now = int(time.time())
    client = browser(KEY.sign(claims(iat=now - 3600)))
    page = words_of(client.get(PROOF))
    assert "Sign out, then sign in again" in page
    assert "password" not in page
    assert asks(client)

    client.brings({HEADER: KEY.sign(claims(iat=now))})

    assert not asks(client)
    assert client.get(f"{PROOF}?next={CONNECT}")["Location"] == CONNECT


def test_the_first_factor_needs_a_proof_where_one_is_possible() -> None:
    client = browser(KEY.sign(claims(iat=int(time.time()) - 3600)))

    assert client.get(ADD)["Location"].startswith(PROOF)


def test_with_plain_headers_the_page_asks_to_add_a_factor(headers_only: Browser) -> None:
    assert asks(headers_only)

    page = words_of(headers_only.get(f"{PROOF}?next={CONNECT}"))

    assert "not when you last signed in" in page
    assert "Add a passkey" in page
    assert "only your open session protects them" in page


def test_a_new_session_is_not_a_proof(headers_only: Browser) -> None:
    headers_only.get("/account/")
    headers_only.cookies.clear()

    assert asks(headers_only)


def test_an_added_app_is_asked_for_afterwards(headers_only: Browser) -> None:
    response, secret = add_app(headers_only)
    assert response.status_code == 302
    assert last_row(Action.PROOF_GIVEN).detail == {"way": "new app"}
    assert not asks(headers_only)
    session = headers_only.session
    session["proved_at"] -= 16 * 60
    session.save()
    assert asks(headers_only)
    assert headers_only.get(f"{PAGE}app/remove/")["Location"].startswith(PROOF)
    assert headers_only.post(f"{PAGE}app/remove/")["Location"].startswith(PROOF)
    assert headers_only.get(f"{PAGE}passkeys/add/")["Location"].startswith(PROOF)

    headers_only.post(PROOF, {"way": "code", "code": "000000", "next": CONNECT})
    assert asks(headers_only)
    headers_only.post(PROOF, {"way": "code", "code": code_of(secret, 1), "next": CONNECT})

    assert not asks(headers_only)
    assert Authenticator.objects.count() == 2


def test_a_proof_ends_with_the_session(headers_only: Browser) -> None:
    add_app(headers_only)
    headers_only.brings({"Remote-User": "bob"})
    assert asks(headers_only)
    headers_only.brings({"Remote-User": "alice"})

    assert asks(headers_only)


def test_a_local_password_is_not_a_proof_behind_a_proxy(alice: User, headers_only: Browser) -> None:
    headers_only.brings({"Remote-User": "somebody"})
    headers_only.get("/account/")
    member = User.objects.get(username="somebody")
    member.set_password(PASSWORD)
    member.save()
    headers_only.get("/account/")

    headers_only.post(PROOF, {"way": "password", "password": PASSWORD})

    assert asks(headers_only)
    assert headers_only.get("/accounts/password/change/").status_code == 404
    assert "Change password" not in words_of(headers_only.get("/account/"))


def test_the_local_fallback_asks_for_the_second_factor(
    settings: Any, proxied: Config, app: Authenticator
) -> None:
    change(settings, local_fallback=True)
    client = Browser()
    local = "/accounts/local/"
    assert client.get(local).status_code == 200

    response = client.post(local, {"login": "alice", "password": PASSWORD})
    assert response["Location"] == "/accounts/login/code/"
    client.post("/accounts/login/code/", {"code": code_of()})

    assert client.member_id == str(app.user.pk)
    assert not asks(client)


def test_without_the_local_fallback_there_is_no_second_step(proxied: Config) -> None:
    client = Browser("alice")
    for path in ("/accounts/login/code/", "/accounts/login/passkey/"):
        assert client.get(path).status_code == 404
        assert client.post(path, {"code": "000000"}).status_code == 404
