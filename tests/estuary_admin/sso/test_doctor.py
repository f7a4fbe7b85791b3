"""The page and the command that say what is wrong with single sign-on, and how to fix it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils.module_loading import autodiscover_modules

from estuary_admin.observability.doctor import examine
from estuary_admin.sso.config import AssertionRules, Config, Provider
from estuary_admin.sso.doctor import arrived, check_sso, diagnose
from estuary_admin.sso.trusted_proxies import Peers
from tests.conftest import signed_in
from tests.estuary_admin.sso.conftest import PROXY, Browser, change
from tests.estuary_admin.sso.oidc.scripted_provider import ScriptedProvider
from tests.estuary_admin.sso.signer import AUDIENCE, ISSUER, KeyServer, SigningKey, claims
from tests.keys.evidence import words_of

META = {"REMOTE_ADDR": PROXY, "HTTP_REMOTE_USER": "alice"}
KEY = SigningKey("first")


def titles(meta: dict[str, str], sso: Config) -> list[tuple[str, bool]]:
    return [(finding.title, finding.is_ok) for finding in diagnose(meta, sso)]


def test_the_page_shows_the_headers_that_arrived_masked(proxied: Config) -> None:
    browser = Browser()
    browser.brings(
        {
            "Remote-User": "root",
            "Remote-Email": "root@example.com",
            "Remote-Groups": "console-admins",
            "X-Forwarded-User": "somebody-else",
        }
    )

    words = words_of(browser.get("/admin-tools/sso/"))

    assert "Peer: 10.0.0.5 is a trusted proxy." in words
    assert "Groups: Groups: console-admins: admin." in words
    assert "Member: This is root." in words
    assert "Remote-Email ro… (16 characters)" in words
    assert "Remote-Name absent" in words
    assert "X-Forwarded-User so… (13 characters) (ignored)" in words
    assert "root@example.com" not in words


def test_with_local_accounts_the_page_says_so(carol: User) -> None:
    words = words_of(signed_in(carol).get("/admin-tools/sso/"))

    assert "SSO_MODE is local: identity headers are ignored." in words
    assert "None arrived" in words


def test_an_untrusted_peer_is_named_with_the_fix(proxied: Config) -> None:
    [finding] = diagnose({**META, "REMOTE_ADDR": "10.9.9.9"}, proxied)

    assert finding.sentence == "10.9.9.9 is no trusted proxy."
    assert "SSO_TRUSTED_PROXIES" in finding.fix


@pytest.mark.parametrize(
    ("meta", "last"),
    [
        ({"HTTP_REMOTE_USER": ""}, ("Refused", False)),
        ({"HTTP_REMOTE_USER": "a,b"}, ("Refused", False)),
        ({}, ("Member", True)),
    ],
)
def test_the_steps_end_at_the_first_that_fails(
    proxied: Config, meta: dict[str, str], last: tuple[str, bool]
) -> None:
    found = titles({**META, **meta}, proxied)

    assert found[0] == ("Peer", True)
    assert found[-1] == last


def test_a_person_in_no_allowed_group_is_reported(proxied: Config, settings: Any) -> None:
    change(settings, member_groups=frozenset({"console"}))

    assert ("Groups", False) in titles(META, settings.SSO)


def test_pending_and_switched_off_members_are_distinguished(proxied: Config, alice: User) -> None:
    Browser("alice").get("/account/")
    assert titles(META, proxied)[-1] == ("Member", False)
    alice.identities.update(state="linked")
    assert titles(META, proxied)[-1] == ("Member", True)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert "switched off" in diagnose(META, proxied)[-1].sentence


def test_the_proxy_secret_is_checked_separately(proxied: Config, settings: Any) -> None:
    change(settings, secrets=("x" * 32,))

    assert titles(META, settings.SSO)[-1] == ("Refused", False)
    good = {**META, "HTTP_X_PROXY_SECRET": "x" * 32}
    assert ("Secret", True) in titles(good, settings.SSO)
    assert [header.name for header in arrived(good, settings.SSO)][-1] == "X-Proxy-Secret"


def jwt_config(url: str) -> Config:
    return Config(
        mode="proxy-jwt",
        peers=Peers.of(["unix"]),
        assertion=AssertionRules("Cf-Access-Jwt-Assertion", url, ISSUER, (AUDIENCE,), ("RS256",)),
        user_claim="email",
        admin_groups=frozenset({"admins"}),
    )


def test_an_assertion_is_shown_and_verified(db: None) -> None:
    with KeyServer() as server:
        server.lists(KEY)
        sso = jwt_config(server.url)
        meta = {"REMOTE_ADDR": "", "HTTP_CF_ACCESS_JWT_ASSERTION": KEY.sign(claims())}

        found = diagnose(meta, sso)

    words = " ".join(finding.sentence for finding in found)
    assert "alg RS256, kid first" in words
    assert f"iss {ISSUER}" in words
    assert "email al… (17 characters)" in words
    assert "Signature, issuer, audience and times are right." in words
    assert "The source says nothing about groups" in words


@pytest.mark.parametrize("token", ["", "alice", "a.b.c"])
def test_an_invalid_assertion_is_reported(token: str) -> None:
    meta = {"REMOTE_ADDR": "", "HTTP_CF_ACCESS_JWT_ASSERTION": token}

    assert titles(meta, jwt_config("http://127.0.0.1:9/"))[-1] == ("Refused", False)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("sso_doctor", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tries_a_request_without_sending_one(proxied: Config) -> None:
    said = run("--peer", PROXY, "--header", "Remote-User: alice")

    assert "Mode: proxy-header, preset: authelia" in said
    assert "Remote-User: al… (5 characters)" in said
    assert "ok     Identity: alice of proxy:authelia." in said
    assert "curl -s -o /dev/null" in said
    assert "-H 'Remote-User: admin'" in said
    assert not User.objects.exists()


def test_the_command_fails_when_single_sign_on_does(proxied: Config) -> None:
    with pytest.raises(CommandError, match="does not work"):
        run("--peer", "192.0.2.1", "--header", "Remote-User: alice")


def test_the_command_rejects_a_header_without_a_value(proxied: Config) -> None:
    with pytest.raises(CommandError, match="must look like"):
        run("--peer", "unix", "--header", "Remote-User")


def test_the_command_fetches_the_keys(settings: Any, db: None) -> None:
    with KeyServer() as server:
        server.lists(KEY)
        settings.SSO = jwt_config(server.url)
        assert "lists first (RS256)" in run()

        server.status = 500
        with pytest.raises(CommandError):
            run()


def test_the_command_reports_local_accounts() -> None:
    assert run() == (
        "Mode: local, preset: none\n"
        "ok     Members sign in with local accounts (SSO_MODE is local).\n"
    )


def test_the_checks_name_the_trusted_headers_and_proxies(proxied: Config, settings: Any) -> None:
    names = ", ".join(proxied.identity_headers)
    assert [check.line for check in check_sso()] == [
        f"Identity headers: {names}, only from 10.0.0.5/32.",
        "The proxy proves itself by its address alone (no SSO_PROXY_SECRET).",
        "Signed in through the proxy: nobody yet.",
        "No admin has signed in yet; members of console-admins become admins.",
    ]
    assert all(check.ok for check in check_sso())


def test_the_doctor_of_the_installation_includes_single_sign_on(proxied: Config) -> None:
    autodiscover_modules("doctor")

    lines = [check.line for title, check in examine() if title == "Single sign-on"]

    assert lines == [check.line for check in check_sso()]


def test_a_proxy_on_this_machine_needs_a_secret(proxied: Config, settings: Any) -> None:
    change(settings, peers=Peers.of(["127.0.0.1", "unix"]))
    assert [check.ok for check in check_sso()] == [True, False, True, True]
    assert check_sso()[1].is_warning
    assert "warning" in run()

    change(settings, secrets=("x" * 32,))

    assert all(check.ok for check in check_sso())


def test_a_console_without_an_admin_is_reported(proxied: Config, settings: Any) -> None:
    change(settings, admin_groups=frozenset())
    assert check_sso()[-1][:2] == ("No admin can sign in.", False)

    change(settings, admin_groups=frozenset({"console-admins"}))
    browser = Browser()
    browser.brings({"Remote-User": "root", "Remote-Groups": "console-admins"})
    browser.get("/account/")

    assert check_sso()[-1][:2] == ("An admin can sign in.", True)
    assert "last at 20" in check_sso()[-2].line


def oidc(settings: Any, provider: ScriptedProvider) -> None:
    issuers = (Provider("corp", "Corp", provider.url, "console"),)
    settings.SSO = Config(mode="oidc", providers=issuers, admin_groups=frozenset({"admins"}))


def test_the_checks_fetch_the_providers_description_and_keys(settings: Any, db: None) -> None:
    with ScriptedProvider() as provider:
        oidc(settings, provider)

        checks = check_sso()

    assert all(check.ok for check in checks)
    lines = " ".join(check.line for check in checks)
    assert f"Provider corp: {provider.url} describes itself." in lines
    assert f"{provider.url}/jwks lists of-the-provider (RS256)." in lines


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"issuer": "https://other.example"}, "calls itself 'https://other.example'"),
    ({"issuer": None}, "calls itself 'None'"),
    ({"token_endpoint": None}, "lacks token_endpoint"),
    ({"jwks_uri": "http://id.example/jwks"}, "jwks_uri is not an https address"),
    ({"userinfo_endpoint": 7}, "lacks userinfo_endpoint"),
]


@pytest.mark.parametrize(("described", "words"), WRONG)
def test_a_provider_that_describes_itself_wrongly_is_told(
    settings: Any, db: None, described: dict[str, Any], words: str
) -> None:
    with ScriptedProvider() as provider:
        provider.described = described
        oidc(settings, provider)

        found = check_sso()[0]

    assert words in found.line
    assert not found.ok
    assert "SSO_OIDC_ISSUER" in found.fix


def test_a_provider_that_does_not_answer_is_reported(settings: Any, db: None) -> None:
    with ScriptedProvider() as provider:
        oidc(settings, provider)
        provider.broken = {"discovery"}
        assert "with a redirect" in check_sso()[0].line
        provider.broken, provider.refused = set(), {"discovery"}
        assert "The status is 401, not 200." in check_sso()[0].line
        provider.broken, provider.refused = {"jwks"}, set()
        assert [check.ok for check in check_sso()] == [True, False, True]

    assert "does not answer" in check_sso()[0].line
