"""Mode `proxy-header`: signing in, and attempts to sign in as somebody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404
from django.test import Client, RequestFactory

from estuary_admin.sso.config import Config, Headers
from estuary_admin.sso.models import Identity
from estuary_admin.sso.trusted_proxies import Peers
from estuary_admin.sso.views import sign_in
from keys.audit.vocabulary import Action
from tests.conftest import HTMX
from tests.estuary_admin.sso.conftest import STRANGER, Browser, change
from tests.keys.evidence import audited, last_row, words_of

PAGE = "/account/"


def refused_as(response: Any) -> str:
    """The reason of a refusal; it must be a page, open no session, and be recorded."""
    assert response.status_code == 403
    assert "You are not signed in" in words_of(response)
    assert "_auth_user_id" not in response.client.session
    reason = str(last_row(Action.SSO_REFUSED).detail["reason"])
    assert f"Code: {reason}" in words_of(response)
    return reason


def test_a_new_person_becomes_a_member_at_once(proxied: Config) -> None:
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


def test_requests_of_a_member_share_a_session(proxied: Config) -> None:
    browser = Browser("alice")
    browser.get(PAGE)
    before = browser.session.session_key

    browser.get(PAGE)

    assert browser.session.session_key == before
    assert Identity.objects.count() == 1


def test_a_header_from_an_untrusted_peer_is_refused(proxied: Config) -> None:
    assert refused_as(Browser("admin", peer=STRANGER).get(PAGE)) == "untrusted-peer"
    assert not User.objects.exists()
    assert last_row(Action.SSO_REFUSED).outcome == "refused"
    assert last_row(Action.SSO_REFUSED).address == STRANGER


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-Ip", "Forwarded"])
def test_forwarding_headers_do_not_make_a_peer_trusted(
    proxied: Config, settings: Any, name: str
) -> None:
    settings.TRUSTED_PROXIES = proxied.peers.networks
    browser = Browser("admin", peer=STRANGER)

    assert refused_as(browser.get(PAGE, headers={name: "10.0.0.5"})) == "untrusted-peer"


def test_forwarded_host_and_protocol_are_ignored(proxied: Config) -> None:
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}

    response = Browser("alice").get("/", headers=lies)

    assert response["Location"] == "/keys/"
    assert "evil" not in str(response.headers)


@pytest.mark.parametrize("path", ["/", "/nothing/here/", "/accounts/login/", "/accounts/logout/"])
def test_every_path_needs_a_trusted_peer(proxied: Config, path: str) -> None:
    assert refused_as(Browser(peer=STRANGER).get(path)) == "untrusted-peer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/css/console.css"])
def test_probes_and_static_files_need_no_proxy(proxied: Config, path: str) -> None:
    response = Browser("admin", peer=STRANGER).get(path)

    assert response.status_code == 200
    assert audited() == []
    if response.streaming:
        response.close()


def test_a_request_without_an_identity_is_refused(proxied: Config) -> None:
    assert refused_as(Browser().get(PAGE)) == "missing-identity"


@pytest.mark.parametrize(
    "value",
    [
        "alice,admin",  # how a duplicate header arrives
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
def test_a_value_that_is_not_one_name_is_refused(proxied: Config, value: str) -> None:
    browser = Browser()
    browser.brings({"Remote-User": value.encode("utf-8", "surrogatepass").decode("latin-1")})

    assert refused_as(browser.get(PAGE)) == "malformed-identity"
    assert not User.objects.exists()


def test_an_empty_name_counts_as_missing(proxied: Config) -> None:
    browser = Browser()
    browser.brings({"Remote-User": ""})

    assert refused_as(browser.get(PAGE)) == "missing-identity"


def brought(**headers: str) -> Browser:
    """A browser behind a proxy that sends these headers in UTF-8."""
    browser = Browser()
    browser.brings(
        {
            name.replace("_", "-"): value.encode("utf-8", "surrogatepass").decode("latin-1")
            for name, value in headers.items()
        }
    )
    return browser


@pytest.mark.parametrize("name", ["Alice", "ALICE"])
def test_another_spelling_of_a_name_waits_for_an_admin(proxied: Config, name: str) -> None:
    Browser("alice").get(PAGE)

    assert refused_as(brought(Remote_User=name).get(PAGE)) == "pending"
    assert Browser("alice").get(PAGE).status_code == 200


def test_the_stable_id_is_the_name_as_sent(proxied: Config) -> None:
    assert brought(Remote_User="Straße").get(PAGE).status_code == 200
    assert Identity.objects.get().stable_id == "Straße"
    assert User.objects.get().username == "strasse"

    assert refused_as(brought(Remote_User="strasse").get(PAGE)) == "pending"


@pytest.mark.parametrize(
    "name",
    [
        "\uff41lice",  # fullwidth
        "\U0001d4b6lice",  # mathematical script
        "\u24d0lice",  # circled
        "alic\u212f",  # script small e
        "al\u2170ce",  # Roman numeral
        "\ufb01nn",  # the ligature fi
        "\u017fam",  # long s
        "Ju\u0308rgen",  # a letter and a combining mark
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_a_name_that_looks_like_another_is_refused(
    proxied: Config, name: str, is_known: bool
) -> None:
    if is_known:
        Browser("alice").get(PAGE)

    assert refused_as(brought(Remote_User=name).get(PAGE)) == "ambiguous-name"
    assert User.objects.count() == is_known


def test_with_an_id_header_a_look_alike_name_is_accepted(proxied: Config, settings: Any) -> None:
    assert proxied.headers
    change(settings, headers=replace(proxied.headers, stable_id="X-Uid"))

    assert brought(Remote_User="\uff41lice", X_Uid="7").get(PAGE).status_code == 200
    assert User.objects.get().username == "alice"


NOTHING_VISIBLE = [
    "\u3164",  # Hangul filler
    "\u115f",
    "\uffa0",
    "\u2800",  # blank Braille pattern
    "\ufe0f",  # variation selector
    "\U000e0100",
    "\u034f",  # combining grapheme joiner
    "\u180b",
    "\u17b4",
    "\u200b",
    "\u2060",
    "\u00ad",
    "\ufff0",
    "\U0001d159",  # musical null note head
    "\U0001d173",
    "\u0301",  # a combining mark alone
    "\u2800\u2800",
]


@pytest.mark.parametrize("name", NOTHING_VISIBLE)
def test_an_invisible_name_is_refused(proxied: Config, name: str) -> None:
    assert refused_as(brought(Remote_User=name).get(PAGE)) == "malformed-identity"
    assert not User.objects.exists()


@pytest.mark.parametrize("part", NOTHING_VISIBLE[:-2])
def test_a_name_with_an_invisible_character_is_refused(proxied: Config, part: str) -> None:
    Browser("alice").get(PAGE)

    assert refused_as(brought(Remote_User=f"ali{part}ce").get(PAGE)) == "malformed-identity"


def test_an_invisible_stable_id_is_refused(proxied: Config, settings: Any) -> None:
    assert proxied.headers
    change(settings, headers=replace(proxied.headers, stable_id="X-Uid"))

    response = brought(Remote_User="alice", X_Uid="\u3164").get(PAGE)

    assert refused_as(response) == "malformed-identity"


@pytest.mark.parametrize("value", ["a\x00b", "a" * 300, "\u3164", "\ud800", "\x00"])
def test_a_malformed_display_name_is_left_empty(proxied: Config, value: str) -> None:
    browser = brought(Remote_User="alice", Remote_Name=value, Remote_Email=value)

    assert browser.get(PAGE).status_code == 200
    assert (Identity.objects.get().name, Identity.objects.get().email) == ("", "")


def test_a_bad_byte_in_one_group_leaves_the_others(proxied: Config, carol: User) -> None:
    browser = Browser()
    browser.brings({"Remote-User": "alice", "Remote-Groups": "caf\xe9,console-admins"})

    assert browser.get("/admin-tools/sso/").status_code == 200


def test_many_groups_are_read(proxied: Config, carol: User) -> None:
    groups = ",".join([f"group-{number:05}" for number in range(2000)] + ["console-admins"])

    response = brought(Remote_User="alice", Remote_Groups=groups).get("/admin-tools/sso/")

    assert len(groups) > 24_000
    assert response.status_code == 200


@pytest.fixture
def tailscale(proxied: Config, settings: Any) -> None:
    names = Headers(
        "Tailscale-User-Login",
        "",
        "Tailscale-User-Login",
        "Tailscale-User-Name",
        "",
        ",",
        is_rfc2047=True,
    )
    change(settings, preset="tailscale", headers=names)


ENCODED = [
    ("=?utf-8?q?j=C3=BCrgen@example.com?=", "jürgen@example.com"),
    ("=?UTF-8?Q?j=C3=BCrgen@example.com?=", "jürgen@example.com"),
    ("=?utf-8?b?asO8cmdlbkBleGFtcGxlLmNvbQ==?=", "jürgen@example.com"),
    ("=?utf-8?q?j=C3=BCrgen?= =?utf-8?q?@example.com?=", "jürgen@example.com"),
    ("=?utf-8?q?j=C3?= =?utf-8?q?=BCrgen@example.com?=", "jürgen@example.com"),
    ("alice@example.com", "alice@example.com"),
]


@pytest.mark.parametrize(("sent", "name"), ENCODED)
def test_names_from_tailscale_are_decoded(tailscale: None, sent: str, name: str) -> None:
    browser = brought(Tailscale_User_Login=sent, Tailscale_User_Name="=?utf-8?q?J=C3=BCrgen_M?=")

    assert browser.get(PAGE).status_code == 200
    identity = Identity.objects.get()
    assert (identity.member.username, identity.stable_id) == (name, name)
    assert (identity.name, identity.email) == ("Jürgen M", name)


@pytest.mark.parametrize(
    "sent",
    [
        "=?utf-8?q?=FF?=",
        "=?utf-8?b?***?=",
        "=?latin-1?q?j=FCrgen?=",
        "=?utf-8?q?a",
        "=?utf-8?q?=00a?=",
        "=?utf-8?q?alice,root?=",
        "=?utf-8?q?=E3=85=A4?=",
        "=?utf-8?q??=",
    ],
)
def test_a_name_that_cannot_be_decoded_is_refused(tailscale: None, sent: str) -> None:
    reason = refused_as(brought(Tailscale_User_Login=sent).get(PAGE))

    assert reason in {"malformed-identity", "missing-identity"}


def test_a_display_name_that_cannot_be_decoded_is_left_empty(tailscale: None) -> None:
    browser = brought(Tailscale_User_Login="alice@example.com", Tailscale_User_Name="=?utf-8?q?=FF")

    assert browser.get(PAGE).status_code == 200
    assert Identity.objects.get().name == ""


def test_names_from_other_proxies_are_not_decoded(proxied: Config) -> None:
    browser = brought(Remote_User="=?utf-8?q?alice?=")

    assert browser.get(PAGE).status_code == 200
    assert User.objects.get().username == "=?utf-8?q?alice?="


def test_a_name_in_utf8_is_read(proxied: Config) -> None:
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
def test_the_old_and_the_new_proxy_secret_work(proxied: Config, settings: Any, secret: str) -> None:
    change(settings, secrets=SECRETS)

    response = Browser("alice").get(PAGE, headers={"X-Proxy-Secret": secret})

    assert response.status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong", f"{SECRETS[0]},{SECRETS[1]}"])
def test_a_proxy_without_the_secret_is_refused(proxied: Config, settings: Any, secret: str) -> None:
    change(settings, secrets=SECRETS)

    response = Browser("alice").get(PAGE, headers={"X-Proxy-Secret": secret})

    assert refused_as(response) == "wrong-secret"


def test_htmx_reloads_the_page_after_a_refusal(proxied: Config) -> None:
    response = Browser(peer=STRANGER).get("/keys/", headers=HTMX)

    assert response.status_code == 401
    assert response["HX-Refresh"] == "true"
    assert response.content == b""
    assert last_row(Action.SSO_REFUSED).detail == {"reason": "untrusted-peer"}


def test_repeated_refusals_make_one_audit_row(proxied: Config) -> None:
    for _ in range(5):
        Browser("admin", peer=STRANGER).get(PAGE)

    assert audited() == [("sso:refused", "refused")]


def test_refusals_of_one_ipv6_network_make_one_audit_row(proxied: Config) -> None:
    for number in range(1, 6):
        Browser("admin", peer=f"2001:db8::{number}").get(PAGE)
    Browser("admin", peer="2001:db8:0:1::1").get(PAGE)

    assert audited() == [("sso:refused", "refused")] * 2


def test_in_local_mode_identity_headers_are_ignored(alice: User) -> None:
    response = Client().get(PAGE, headers={"Remote-User": "alice"})

    assert response["Location"] == f"/accounts/login/?next={PAGE}"


def test_the_sign_in_page_alone_lets_no_visitor_type_a_password(
    proxied: Config, rf: RequestFactory
) -> None:
    request = rf.get("/accounts/login/")
    request.user = AnonymousUser()

    with pytest.raises(Http404):
        sign_in(request)
