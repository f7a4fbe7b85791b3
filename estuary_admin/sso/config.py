"""The single sign-on settings as typed values; `environment.py` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from estuary_admin.sso.trusted_proxies import Peers

BACKENDS = "estuary_admin.sso.backends"
LOCAL_BACKEND = f"{BACKENDS}.LocalBackend"
#: Presets whose `iat` is the time of the sign-in. The others sign a new assertion for each request
#: or each time they renew a session.
ASSERTED_AT_SIGN_IN = {"cloudflare-access"}
PROXY_SECRET_HEADER = "X-Proxy-Secret"  # noqa: S105 - the name of a header
DEFAULT_SCOPES = "openid profile email"


@dataclass(frozen=True, slots=True)
class Headers:
    """Names of the headers in mode `proxy-header`; "" for a header that the proxy does not send."""

    user: str
    stable_id: str
    email: str
    name: str
    groups: str
    separator: str
    is_rfc2047: bool = False  # the proxy encodes text outside ASCII by RFC 2047


@dataclass(frozen=True, slots=True)
class AssertionRules:
    """The header with the assertion in mode `proxy-jwt`, and the requirements for it."""

    header: str
    jwks_url: str
    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider in mode `oidc`."""

    id: str
    name: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: str = DEFAULT_SCOPES


@dataclass(frozen=True, slots=True)
class Config:
    mode: str = "local"
    preset: str = ""
    peers: Peers = field(default_factory=Peers)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    headers: Headers | None = None
    assertion: AssertionRules | None = None
    providers: tuple[Provider, ...] = ()
    user_claim: str = "preferred_username"
    groups_claim: str = ""
    admin_groups: frozenset[str] = frozenset()
    member_groups: frozenset[str] = frozenset()
    auto_create: bool = True
    logout_url: str = ""
    local_fallback: bool = False

    @property
    def is_proxy(self) -> bool:
        return self.headers is not None or self.assertion is not None

    @property
    def is_local(self) -> bool:
        return self.mode == "local"

    @property
    def identity_headers(self) -> list[str]:
        """Names of all headers that identify a person; the required one comes first."""
        if self.assertion:
            return [self.assertion.header]
        if not self.headers:
            return []
        found = self.headers
        names = [found.user, found.stable_id, found.email, found.name, found.groups]
        return list(dict.fromkeys(name for name in names if name))

    @property
    def asserts_at_sign_in(self) -> bool:
        """Whether the proxy makes one assertion at sign-in and sends it for the whole session."""
        return self.assertion is not None and self.preset in ASSERTED_AT_SIGN_IN

    @property
    def source(self) -> str:
        """The source of proxy identities: the issuer, or the kind of proxy."""
        return self.assertion.issuer if self.assertion else f"proxy:{self.preset or 'headers'}"

    @property
    def sources(self) -> list[str]:
        """The sources of all identities that may sign in."""
        return [self.source] if self.is_proxy else [provider.issuer for provider in self.providers]

    @property
    def backends(self) -> list[str]:
        """The backends whose sessions are valid; a restart ends all other sessions."""
        own = {"oidc": [f"{BACKENDS}.OidcBackend"], "local": [LOCAL_BACKEND]}
        found = own.get(self.mode, [f"{BACKENDS}.ProxyBackend"])
        return [*found, LOCAL_BACKEND] if self.local_fallback else found
