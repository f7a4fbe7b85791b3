"""Reading the SSO_* variables, and contradictions that stop the start."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from estuary_admin.sso.config import Config
from estuary_admin.sso.environment import read_config
from estuary_admin.sso.presets import HEADER_PRESETS, JWT_PRESETS

PROXY_HEADER = {"SSO_MODE": "proxy-header", "SSO_PRESET": "authelia"}
PROXY_HEADER |= {"SSO_TRUSTED_PROXIES": "10.0.0.5"}
CLOUDFLARE = {
    "SSO_MODE": "proxy-jwt",
    "SSO_PRESET": "cloudflare-access",
    "SSO_TRUSTED_PROXIES": "127.0.0.1",
    "SSO_JWT_ISSUER": "https://team.cloudflareaccess.com",
    "SSO_JWT_AUDIENCE": "aud-tag",
}


def read(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> Config:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return read_config(urlsplit("https://keys.example.com"))


def test_the_default_mode_is_local_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {})

    assert found.is_local
    assert not found.is_proxy
    assert found.backends == ["estuary_admin.sso.backends.LocalBackend"]


def test_a_preset_names_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, PROXY_HEADER)

    assert found.headers
    assert (found.headers.user, found.headers.groups) == ("Remote-User", "Remote-Groups")
    assert found.source == "proxy:authelia"
    assert found.auto_create
    assert found.backends == ["estuary_admin.sso.backends.ProxyBackend"]


def test_a_variable_overrides_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {**PROXY_HEADER, "SSO_USER_HEADER": "X-User"})

    assert found.headers
    assert found.headers.user == "X-User"


@pytest.mark.parametrize("preset", sorted(HEADER_PRESETS))
def test_a_header_preset_needs_no_other_variable(
    monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    assert read(monkeypatch, {**PROXY_HEADER, "SSO_PRESET": preset}).is_proxy


@pytest.mark.parametrize("preset", sorted(JWT_PRESETS))
def test_a_jwt_preset_needs_only_issuer_and_audience(
    monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    own = {"SSO_JWT_ISSUER": "https://id.example/o/keys/", "SSO_JWT_AUDIENCE": "ours"}
    if preset == "oauth2-proxy":  # its provider's address cannot be known
        own["SSO_JWT_JWKS_URL"] = "https://id.example/jwks"

    found = read(monkeypatch, {**CLOUDFLARE, **own, "SSO_PRESET": preset}).assertion

    assert found
    assert found.jwks_url.startswith("https://")
    assert "{" not in f"{found}"


def test_pomerium_settings_follow_from_the_public_url(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"SSO_MODE": "proxy-jwt", "SSO_PRESET": "pomerium", "SSO_TRUSTED_PROXIES": "unix"}

    found = read(monkeypatch, values).assertion

    assert found
    assert found.jwks_url == "https://keys.example.com/.well-known/pomerium/jwks.json"
    assert (found.issuer, found.audience) == ("keys.example.com", ("keys.example.com",))


def test_the_local_fallback_adds_the_local_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {**PROXY_HEADER, "SSO_LOCAL_FALLBACK": "true"})

    assert len(found.backends) == 2


def test_the_config_does_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {**PROXY_HEADER, "SSO_PROXY_SECRET": "x" * 32})

    assert found.secrets == ("x" * 32,)
    assert "xxx" not in repr(found)


OIDC = {"SSO_MODE": "oidc", "SSO_OIDC_ISSUER": "https://id.example", "SSO_OIDC_CLIENT_ID": "us"}
SEVERAL = [
    {"id": "corp", "issuer": "https://id.example", "client_id": "us", "client_secret": "secret"},
    {"id": "partner", "name": "Partner", "issuer": "https://other.example", "client_id": "us"},
]


def test_one_provider_needs_two_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, OIDC)

    [provider] = found.providers
    assert (provider.id, provider.name) == ("sso", "single sign-on")
    assert found.backends == ["estuary_admin.sso.backends.OidcBackend"]
    assert not found.is_proxy


def test_several_providers_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"SSO_MODE": "oidc", "SSO_OIDC_PROVIDERS": json.dumps(SEVERAL)}

    found = read(monkeypatch, values).providers

    assert [provider.name for provider in found] == ["corp", "Partner"]
    assert "secret=" not in repr(found[0])


def row(**changed: object) -> str:
    return json.dumps([{**SEVERAL[0], **changed}])


WRONG_PROVIDERS = [
    "[" * 100_000,
    "corp",
    "[]",
    "{}",
    "[1]",
    row(id="Corp!"),
    row(client=1),
    row(secret="x"),
    row(client_id=""),
    row(issuer="http://id.example"),
    row(scopes="profile"),
    json.dumps([SEVERAL[0], SEVERAL[0]]),
    json.dumps([SEVERAL[0], {**SEVERAL[1], "issuer": "https://id.example"}]),
]


@pytest.mark.parametrize("text", WRONG_PROVIDERS)
def test_wrong_providers_stop_the_start_and_show_no_secret(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match="SSO_OIDC_") as stopped:
        read(monkeypatch, {"SSO_MODE": "oidc", "SSO_OIDC_PROVIDERS": text})

    assert '"secret"' not in str(stopped.value)


EVERYONE = [
    "0.0.0.0/0",
    "::/0",
    "0.0.0.0/1,128.0.0.0/1",
    "::ffff:0:0/96",
    "10.0.0.5,2000::/3",
    ",".join(f"{number}.0.0.0/8" for number in range(8, 12)),
]


@pytest.mark.parametrize("networks", EVERYONE)
def test_a_network_of_almost_everyone_is_refused(
    monkeypatch: pytest.MonkeyPatch, networks: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match="means everyone"):
        read(monkeypatch, {**PROXY_HEADER, "SSO_TRUSTED_PROXIES": networks})


@pytest.mark.parametrize("base", [PROXY_HEADER, CLOUDFLARE])
def test_a_proxy_mode_needs_its_proxies(
    monkeypatch: pytest.MonkeyPatch, base: dict[str, str]
) -> None:
    with pytest.raises(ImproperlyConfigured, match="set SSO_TRUSTED_PROXIES"):
        read(monkeypatch, {**base, "SSO_TRUSTED_PROXIES": ""})


WRONG = [
    (PROXY_HEADER, "SSO_MODE", "header"),
    (PROXY_HEADER, "SSO_PRESET", "pomerium"),
    (PROXY_HEADER, "SSO_TRUSTED_PROXIES", "proxy.example.com"),
    (PROXY_HEADER, "SSO_PROXY_SECRET", "short"),
    (PROXY_HEADER, "SSO_PROXY_SECRET", ",".join(["x" * 32, "y" * 32, "z" * 32])),
    (PROXY_HEADER, "SSO_USER_HEADER", "Remote_User"),
    (PROXY_HEADER, "SSO_GROUPS_SEPARATOR", "||"),
    (PROXY_HEADER, "SSO_AUTO_CREATE", "1"),
    (PROXY_HEADER, "SSO_LOGOUT_URL", "//evil.example/"),
    (PROXY_HEADER, "SSO_LOGOUT_URL", "javascript:alert(1)"),
    (PROXY_HEADER, "SSO_LOGOUT_URL", "https://[::1"),
    (PROXY_HEADER, "SSO_LOGOUT_URL", "https://id.example.com/sign out"),
    (PROXY_HEADER, "SSO_LOGOUT_URL", "/sign_out\nSet-Cookie: a=b"),
    (PROXY_HEADER, "SSO_JWT_ISSUER", "https://id.example"),
    (CLOUDFLARE, "SSO_JWT_ALGORITHMS", "HS256"),
    (CLOUDFLARE, "SSO_JWT_ALGORITHMS", "RS256,none"),
    (CLOUDFLARE, "SSO_JWT_JWKS_URL", "http://keys.example/jwks"),
    (CLOUDFLARE, "SSO_JWT_JWKS_URL", "file:///etc/passwd"),
    (CLOUDFLARE, "SSO_JWT_AUDIENCE", ""),
    (CLOUDFLARE, "SSO_JWT_ISSUER", ""),
    (CLOUDFLARE, "SSO_ADMIN_GROUPS", "admins"),  # its assertion names no groups
    (PROXY_HEADER, "SSO_ADMIN_GROUPS", "cn=admins,ou=groups,dc=example,dc=org"),
    (PROXY_HEADER, "SSO_MEMBER_GROUPS", "staff, CN=team,OU=groups"),
    (OIDC, "SSO_OIDC_CLIENT_ID", ""),
    (OIDC, "SSO_OIDC_PROVIDERS", row()),
    (OIDC, "SSO_TRUSTED_PROXIES", "10.0.0.5"),
    ({}, "SSO_OIDC_ISSUER", "https://id.example"),
    ({}, "SSO_PRESET", "authelia"),
    ({}, "SSO_TRUSTED_PROXIES", "10.0.0.5"),
    ({}, "SSO_LOCAL_FALLBACK", "true"),
]


@pytest.mark.parametrize(("base", "name", "value"), WRONG)
def test_a_contradiction_stops_the_start_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, base: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        read(monkeypatch, {**base, name: value})


def test_without_a_preset_the_user_header_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="SSO_USER_HEADER"):
        read(monkeypatch, {**PROXY_HEADER, "SSO_PRESET": ""})
