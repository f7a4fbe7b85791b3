"""`proxy-header`: coming in, staying, and every way of getting in on somebody else's name."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from estuary_admin.sso.config import Config
from estuary_admin.sso.models import Identity
from estuary_admin.sso.trusted_proxies import Peers
from keys.audit.vocabulary import Action
from tests.conftest import HTMX
from tests.estuary_admin.sso.conftest import STRANGER, Browser, change
from tests.keys.evidence import audited, last_row, words_of

PAGE = "/account/"


def refused_as(response: Any) -> str:
    """The reason of a refusal, which must be a page, must open no session, and be recorded."""
    assert response.status_code == 403
    assert "You are not signed in" in words_of(response)
    assert "_auth_user_id" not in response.client.session
    reason = str(last_row(Action.SSO_REFUSED).detail["reason"])
    assert f"Code: {reason}" in words_of(response)
    return reason


def test_somebody_new_is_a_member_at_once(proxied: Config) -> None:
    browser = Browser("alice")
    browser.brings(
        {"Remote-User": "alice", "Remote-Name": "Doe, Alice", "Remote-Email": "a@example.com"}
    )

    assert browser.get(PAGE).status_code == 200

    identity = Identity.objects.get()
    assert (identity.source, identity.stable_id) == ("proxy:authelia", "alice")
    assert (identity.name, identity.email) == ("Doe, Alice", "a@example.com")
    assert not identity.member.has_usable_password()
    assert audited() == [("sso:identity-created", "done")]
    assert last_row(Action.SIGNED_IN).actor == identity.member


def test_a_member_stays_signed_in_with_one_session(proxied: Config) -> None:
    browser = Browser("alice")
    browser.get(PAGE)
    before = browser.session.session_key

    browser.get(PAGE)

    assert browser.session.session_key == before
    assert Identity.objects.count() == 1


def test_a_header_from_elsewhere_is_not_believed(proxied: Config) -> None:
    assert refused_as(Browser("admin", peer=STRANGER).get(PAGE)) == "untrusted-peer"
    assert not User.objects.exists()
    assert last_row(Action.SSO_REFUSED).outcome == "refused"
    assert last_row(Action.SSO_REFUSED).address == STRANGER


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-Ip", "Forwarded"])
def test_saying_to_be_the_proxy_is_not_being_it(proxied: Config, settings: Any, name: str) -> None:
    settings.TRUSTED_PROXIES = proxied.peers.networks
    browser = Browser("admin", peer=STRANGER)

    assert refused_as(browser.get(PAGE, headers={name: "10.0.0.5"})) == "untrusted-peer"


def test_lies_about_host_and_protocol_change_nothing(proxied: Config) -> None:
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}

    response = Browser("alice").get("/", headers=lies)

    assert response["Location"] == "/keys/"
    assert "evil" not in str(response.headers)


@pytest.mark.parametrize("path", ["/", "/nothing/here/", "/accounts/login/", "/accounts/logout/"])
def test_no_path_falls_back_to_anything(proxied: Config, path: str) -> None:
    assert refused_as(Browser(peer=STRANGER).get(path)) == "untrusted-peer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/css/console.css"])
def test_probes_and_static_files_need_no_proxy(proxied: Config, path: str) -> None:
    response = Browser("admin", peer=STRANGER).get(path)

    assert response.status_code == 200
    assert audited() == []
    if response.streaming:
        response.close()


def test_nobody_is_nobody(proxied: Config) -> None:
    assert refused_as(Browser().get(PAGE)) == "missing-identity"


@pytest.mark.parametrize(
    "value",
    [
        "alice,admin",  # how a doubled header arrives
        "alice, admin",
        ",",
        "alice\x00",
        "alice\tadmin",
        "ali\u200bce",
        "\u202eecila",
        "alice\uff0cadmin",  # a comma after NFKC
        "a" * 255,
        "a" * 151,
        "\ud800",
    ],
)
def test_what_cannot_be_one_name_is_refused(proxied: Config, value: str) -> None:
    browser = Browser()
    browser.brings({"Remote-User": value.encode("utf-8", "surrogatepass").decode("latin-1")})

    assert refused_as(browser.get(PAGE)) == "malformed-identity"
    assert not User.objects.exists()


def test_an_empty_header_is_none(proxied: Config) -> None:
    browser = Browser()
    browser.brings({"Remote-User": ""})

    assert refused_as(browser.get(PAGE)) == "missing-identity"


@pytest.mark.parametrize("name", ["Alice", "ALICE", "\uff21lice"])
def test_one_name_in_two_spellings_is_one_member(proxied: Config, name: str) -> None:
    Browser("alice").get(PAGE)
    browser = Browser()
    browser.brings({"Remote-User": name.encode().decode("latin-1")})

    assert browser.get(PAGE).status_code == 200
    assert [member.username for member in User.objects.all()] == ["alice"]


def test_a_name_beyond_ascii_arrives_whole(proxied: Config) -> None:
    browser = Browser()
    browser.brings({"Remote-User": "Jürgen".encode().decode("latin-1")})

    browser.get(PAGE)

    assert User.objects.get().username == "jürgen"


def test_a_unix_socket_can_be_the_proxy(proxied: Config, settings: Any) -> None:
    change(settings, peers=Peers.of(["unix"]))

    assert Browser("alice", peer="").get(PAGE).status_code == 200
    assert refused_as(Browser("alice").get(PAGE)) == "untrusted-peer"


SECRETS = ("the-new-secret-of-the-proxy", "the-old-secret-of-the-proxy")


@pytest.mark.parametrize("secret", SECRETS)
def test_the_proxy_proves_itself_by_either_secret(
    proxied: Config, settings: Any, secret: str
) -> None:
    change(settings, secrets=SECRETS)

    response = Browser("alice").get(PAGE, headers={"X-Proxy-Secret": secret})

    assert response.status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong", f"{SECRETS[0]},{SECRETS[1]}"])
def test_without_its_secret_the_proxy_is_a_stranger(
    proxied: Config, settings: Any, secret: str
) -> None:
    change(settings, secrets=SECRETS)

    response = Browser("alice").get(PAGE, headers={"X-Proxy-Secret": secret})

    assert refused_as(response) == "wrong-secret"


def test_htmx_is_told_to_load_the_page_anew(proxied: Config) -> None:
    response = Browser(peer=STRANGER).get("/keys/", headers=HTMX)

    assert response.status_code == 401
    assert response["HX-Refresh"] == "true"
    assert response.content == b""
    assert last_row(Action.SSO_REFUSED).detail == {"reason": "untrusted-peer"}


def test_an_audit_cannot_be_filled_by_knocking(proxied: Config) -> None:
    for _ in range(5):
        Browser("admin", peer=STRANGER).get(PAGE)

    assert audited() == [("sso:refused", "refused")]


def test_in_local_mode_a_header_means_nothing(alice: User) -> None:
    response = Client().get(PAGE, headers={"Remote-User": "alice"})

    assert response["Location"] == f"/accounts/login/?next={PAGE}"
