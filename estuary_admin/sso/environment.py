"""Reads the SSO_* variables into a Config; a contradiction stops the start."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env
from estuary_admin.secrets.shared_secrets import checked
from estuary_admin.sso.config import DEFAULT_SCOPES, AssertionRules, Config, Headers, Provider
from estuary_admin.sso.presets import PRESETS, RFC2047_PRESETS
from estuary_admin.sso.trusted_proxies import MeansEveryone, Peers

MODES = ["local", "oidc", "proxy-jwt", "proxy-header"]
PROXY_MODES = {"proxy-header", "proxy-jwt"}
SSO_MODES = {*PROXY_MODES, "oidc"}

#: Signatures with a public key only. With a shared secret, the verifier could also sign.
ALGORITHMS = {f"{family}{size}" for family in ("RS", "ES", "PS") for size in (256, 384, 512)}
ALGORITHMS |= {"EdDSA"}
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
#: The beginning of a part of an LDAP name, such as `ou=groups`.
DISTINGUISHED_NAME = re.compile(r"(cn|ou|dc|uid|o)=", re.IGNORECASE)
PROVIDER_ID = re.compile(r"[a-z0-9-]{1,40}")
PROVIDERS_EXAMPLE = '[{"id": "corp", "name": "Corp", "issuer": "https://…", "client_id": "…"}]'
PROVIDER_FIELDS = {"id", "name", "issuer", "client_id", "client_secret", "scopes"}


def read_config(public_url: SplitResult) -> Config:
    mode = env.one_of("SSO_MODE", MODES, "local")
    preset = _preset(mode)
    reader = Reader(mode, PRESETS.get(mode, {}).get(preset, {}), public_url)
    groups_known = bool(reader.text("SSO_GROUPS_HEADER") or reader.text("SSO_GROUPS_CLAIM"))
    config = Config(
        mode=mode,
        preset=preset,
        peers=reader.peers(),
        secrets=reader.secrets(),
        headers=_headers(reader, preset),
        assertion=_assertion_rules(reader),
        providers=_providers(reader),
        user_claim=reader.text("SSO_USER_CLAIM") or "preferred_username",
        groups_claim=reader.text("SSO_GROUPS_CLAIM"),
        admin_groups=frozenset(reader.groups("SSO_ADMIN_GROUPS", known=groups_known)),
        member_groups=frozenset(reader.groups("SSO_MEMBER_GROUPS", known=groups_known)),
        auto_create=reader.flag("SSO_AUTO_CREATE", default=True),
        logout_url=reader.logout_url(),
        local_fallback=reader.flag("SSO_LOCAL_FALLBACK", default=False),
    )
    reader.refuse_unused()
    return config


def modes_of(name: str) -> set[str]:
    """The modes in which a variable has a meaning."""
    if name.startswith("SSO_JWT_"):
        return {"proxy-jwt"}
    if name.startswith("SSO_OIDC_"):
        return {"oidc"}
    if name.endswith(("_HEADER", "_SEPARATOR")):
        return {"proxy-header"}
    if name in {"SSO_TRUSTED_PROXIES", "SSO_PROXY_SECRET"}:
        return PROXY_MODES
    if name.endswith("_CLAIM"):
        return {"proxy-jwt", "oidc"}
    return SSO_MODES


@dataclass
class Reader:
    """Reads variables of one mode, with the preset's defaults; notes those of other modes."""

    mode: str
    defaults: dict[str, str]
    public_url: SplitResult
    unused: list[tuple[str, set[str]]] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        modes = modes_of(name)
        if self.mode in modes:
            return env.text(name, self._filled(self.defaults.get(name, default)))
        if env.text(name, ""):
            self.unused.append((name, modes))
        return ""

    def refuse_unused(self) -> None:
        for name, modes in self.unused:
            raise ImproperlyConfigured(
                f"{name} is set, but SSO_MODE is {self.mode!r}: it belongs to "
                f"{' and '.join(sorted(modes))}. Change SSO_MODE or remove {name}."
            )

    def words(self, name: str) -> list[str]:
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in {"true", "false", ""}:
            raise ImproperlyConfigured(f"{name} is {value!r}; give true or false.")
        return value == "true"

    def header(self, name: str) -> str:
        value = self.text(name)
        if value and not HEADER_NAME.fullmatch(value):
            raise ImproperlyConfigured(
                f"{name} is {value!r}; give the header's name as the proxy sends it, with dashes, "
                "such as Remote-User. The server drops headers with underscores."
            )
        return value

    def separator(self) -> str:
        value = self.text("SSO_GROUPS_SEPARATOR", ",")
        if len(value) > 1 or value.isalnum():
            raise ImproperlyConfigured(
                f"SSO_GROUPS_SEPARATOR is {value!r}; give one character such as , or |."
            )
        return value or ","

    def peers(self) -> Peers:
        words = self.words("SSO_TRUSTED_PROXIES")
        if self.mode in PROXY_MODES and not words:
            raise ImproperlyConfigured(
                f"SSO_MODE is {self.mode!r}: set SSO_TRUSTED_PROXIES to the addresses of your "
                "proxies, such as 127.0.0.1 or 10.0.0.5, or to unix for a unix socket."
            )
        try:
            return Peers.of(words)
        except MeansEveryone as network:
            raise ImproperlyConfigured(
                f"SSO_TRUSTED_PROXIES contains {network}, which means everyone: any client that "
                "reaches this port could claim any identity. Give your proxies' own addresses."
            ) from None
        except ValueError as error:
            raise ImproperlyConfigured(
                f"SSO_TRUSTED_PROXIES: {error}. Give addresses, networks or unix."
            ) from None

    def secrets(self) -> tuple[str, ...]:
        return checked("SSO_PROXY_SECRET", self.words("SSO_PROXY_SECRET"))

    def algorithms(self) -> list[str]:
        found = self.words("SSO_JWT_ALGORITHMS")
        if wrong := [name for name in found if name not in ALGORITHMS]:
            raise ImproperlyConfigured(
                f"SSO_JWT_ALGORITHMS contains {wrong[0]!r}; give signatures with a public key, "
                "such as RS256 or ES256."
            )
        return found

    def jwks_url(self, issuer: str) -> str:
        value = self.text("SSO_JWT_JWKS_URL")
        if not issuer and "{issuer}" in value:
            return ""  # The missing issuer is reported instead.
        value = value.replace("{issuer}", issuer)
        if value:
            env.checked_url("SSO_JWT_JWKS_URL", value)
        return value

    def groups(self, name: str, *, known: bool) -> list[str]:
        found = self.words(name)
        if found and not known:
            raise ImproperlyConfigured(
                f"{name} is set, but nothing names the groups: set SSO_GROUPS_HEADER "
                "(proxy-header) or SSO_GROUPS_CLAIM (proxy-jwt, oidc)."
            )
        if parts := [word for word in found if DISTINGUISHED_NAME.match(word)]:
            # Its parts would be groups of their own, which members of other groups share.
            raise ImproperlyConfigured(
                f"{name} contains {parts[0]!r}: names of groups are separated by commas, so a "
                "distinguished name of LDAP cannot be given. Let the provider send short names."
            )
        return found

    def logout_url(self) -> str:
        value = self.text("SSO_LOGOUT_URL")
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
            is_path = value.startswith("/") and not parts.netloc
        except ValueError:  # such as https://[::1
            is_address = is_path = False
        is_one_word = value.isprintable() and not set(value) & set(" \\")
        if not is_one_word or not (is_path or is_address):
            raise ImproperlyConfigured(
                f"SSO_LOGOUT_URL is {value!r}; give a path such as /oauth2/sign_out or an address."
            )
        return value

    def _filled(self, value: str) -> str:
        host = str(self.public_url.hostname)
        origin = f"{self.public_url.scheme}://{self.public_url.netloc}"
        return value.replace("{public_url}", origin).replace("{public_host}", host)


def _preset(mode: str) -> str:
    known = sorted(PRESETS.get(mode, {}))
    preset = env.text("SSO_PRESET", "")
    if preset and preset not in known:
        right = f"give one of {', '.join(known)}" if known else "this mode has no presets"
        raise ImproperlyConfigured(f"SSO_PRESET is {preset!r}, SSO_MODE {mode!r}: {right}.")
    return preset


def _headers(reader: Reader, preset: str) -> Headers | None:
    found = Headers(
        user=reader.header("SSO_USER_HEADER"),
        stable_id=reader.header("SSO_ID_HEADER"),
        email=reader.header("SSO_EMAIL_HEADER"),
        name=reader.header("SSO_NAME_HEADER"),
        groups=reader.header("SSO_GROUPS_HEADER"),
        separator=reader.separator(),
        is_rfc2047=preset in RFC2047_PRESETS,
    )
    if reader.mode != "proxy-header":
        return None
    if not found.user:
        raise ImproperlyConfigured(
            "SSO_MODE is 'proxy-header': set SSO_PRESET, or set SSO_USER_HEADER to the header "
            "with the user's name, such as Remote-User."
        )
    return found


def _assertion_rules(reader: Reader) -> AssertionRules | None:
    issuer = reader.text("SSO_JWT_ISSUER")
    found = AssertionRules(
        header=reader.header("SSO_JWT_HEADER"),
        jwks_url=reader.jwks_url(issuer),
        issuer=issuer,
        audience=tuple(reader.words("SSO_JWT_AUDIENCE")),
        algorithms=tuple(reader.algorithms()),
    )
    if reader.mode != "proxy-jwt":
        return None
    for name, value in (
        ("SSO_JWT_HEADER", found.header),
        ("SSO_JWT_ISSUER", found.issuer),
        ("SSO_JWT_JWKS_URL", found.jwks_url),
        ("SSO_JWT_AUDIENCE", found.audience),
        ("SSO_JWT_ALGORITHMS", found.algorithms),
    ):
        if not value:
            raise ImproperlyConfigured(f"SSO_MODE is 'proxy-jwt': set {name}; see docs/sso.md.")
    return found


def _providers(reader: Reader) -> tuple[Provider, ...]:
    """One provider from plain variables, or several from JSON."""
    several = reader.text("SSO_OIDC_PROVIDERS")
    one = {
        "id": "sso",
        "name": reader.text("SSO_OIDC_NAME", "single sign-on"),
        "issuer": reader.text("SSO_OIDC_ISSUER"),
        "client_id": reader.text("SSO_OIDC_CLIENT_ID"),
        "client_secret": reader.text("SSO_OIDC_CLIENT_SECRET"),
        "scopes": reader.text("SSO_OIDC_SCOPES", DEFAULT_SCOPES),
    }
    if reader.mode != "oidc":
        return ()
    if several and one["issuer"]:
        raise ImproperlyConfigured("Set SSO_OIDC_PROVIDERS or SSO_OIDC_ISSUER, not both.")
    found = tuple(_provider(row) for row in (_provider_rows(several) if several else [one]))
    for name in ("id", "issuer"):
        if len({getattr(provider, name) for provider in found}) < len(found):
            raise ImproperlyConfigured(f"SSO_OIDC_PROVIDERS: two providers have the same {name}.")
    return found


def _provider_rows(text: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not rows:
        raise ImproperlyConfigured(f"SSO_OIDC_PROVIDERS must be JSON such as {PROVIDERS_EXAMPLE}.")
    return rows


def _provider(row: Any) -> Provider:
    # The messages leave the row out: it may contain a secret.
    is_valid = isinstance(row, dict) and all(isinstance(value, str) for value in row.values())
    if not is_valid or set(row) - PROVIDER_FIELDS or not PROVIDER_ID.fullmatch(row.get("id", "")):
        raise ImproperlyConfigured(f"SSO_OIDC_PROVIDERS must be JSON such as {PROVIDERS_EXAMPLE}.")
    if not row.get("issuer") or not row.get("client_id"):
        raise ImproperlyConfigured(
            "SSO_MODE is 'oidc': set SSO_OIDC_ISSUER and SSO_OIDC_CLIENT_ID, or SSO_OIDC_PROVIDERS."
        )
    env.checked_url("SSO_OIDC_ISSUER", row["issuer"])
    if "openid" not in row.get("scopes", "openid").split():
        raise ImproperlyConfigured("SSO_OIDC_SCOPES must contain openid, such as openid profile.")
    return Provider(**{"name": row["id"], **row})
