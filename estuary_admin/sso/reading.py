"""Reading SSO_* variables: defaults from the preset, and only those that the mode knows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env
from estuary_admin.secrets.shared_secrets import checked
from estuary_admin.sso.modes import PROXIES, modes_of
from estuary_admin.sso.trusted_proxies import MeansEveryone, Peers

#: Only signatures whose verifying key is public: with a secret one, whoever checks can forge.
ALGORITHMS = {f"{family}{size}" for family in ("RS", "ES", "PS") for size in (256, 384, 512)}
ALGORITHMS |= {"EdDSA"}
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


@dataclass
class Reader:
    mode: str
    defaults: dict[str, str]
    public_url: SplitResult
    strays: list[tuple[str, set[str]]] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        modes = modes_of(name)
        if self.mode in modes:
            return env.text(name, self._filled(self.defaults.get(name, default)))
        if env.text(name, ""):
            self.strays.append((name, modes))
        return ""

    def refuse_strays(self) -> None:
        for name, modes in self.strays:
            raise ImproperlyConfigured(
                f"{name} is set, but SSO_MODE is {self.mode!r}: it belongs to "
                f"{' and '.join(sorted(modes))}. Change SSO_MODE or take {name} out."
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
                "such as Remote-User. Headers with underscores are dropped by every safe server."
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
        if self.mode in PROXIES and not words:
            raise ImproperlyConfigured(
                f"SSO_MODE is {self.mode!r}: set SSO_TRUSTED_PROXIES to the addresses of your "
                "proxies, such as 127.0.0.1 or 10.0.0.5, or to unix for a unix socket."
            )
        try:
            return Peers.of(words)
        except MeansEveryone as network:
            raise ImproperlyConfigured(
                f"SSO_TRUSTED_PROXIES holds {network}, which means everyone: whoever reaches this "
                "port could then be anybody. Name your proxies' own addresses."
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
                f"SSO_JWT_ALGORITHMS holds {wrong[0]!r}; give signatures with a public key, "
                "such as RS256 or ES256."
            )
        return found

    def jwks_url(self, issuer: str) -> str:
        value = self.text("SSO_JWT_JWKS_URL")
        if not issuer and "{issuer}" in value:
            return ""  # which is told of as what it is: an issuer that is not set
        value = value.replace("{issuer}", issuer)
        if value:
            env.checked_url("SSO_JWT_JWKS_URL", value)
        return value

    def groups(self, name: str, *, known: bool) -> list[str]:
        found = self.words(name)
        if found and not known:
            raise ImproperlyConfigured(
                f"{name} is set, but nothing tells the groups: set SSO_GROUPS_HEADER "
                "(proxy-header) or SSO_GROUPS_CLAIM (proxy-jwt, oidc)."
            )
        return found

    def logout_url(self) -> str:
        value = self.text("SSO_LOGOUT_URL")
        if not value:
            return ""
        parts = urlsplit(value)
        is_here = value.startswith("/") and not parts.netloc and "\\" not in value
        if not is_here and not (parts.scheme in {"http", "https"} and parts.hostname):
            raise ImproperlyConfigured(
                f"SSO_LOGOUT_URL is {value!r}; give a path such as /oauth2/sign_out or an address."
            )
        return value

    def _filled(self, value: str) -> str:
        host = str(self.public_url.hostname)
        return value.replace("{public_url}", self.public_url.geturl()).replace(
            "{public_host}", host
        )
