"""What the SSO_* variables say, as typed values; `load.py` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from estuary_admin.sso.oidc_config import Provider
from estuary_admin.sso.trusted_proxies import Peers

BACKENDS = "estuary_admin.sso.backends"
LOCAL_BACKEND = f"{BACKENDS}.LocalBackend"
#: Presets whose `iat` is that of the sign-in; the others sign anew for each request, or when they
#: renew what they have.
ASSERTED_AT_SIGN_IN = {"cloudflare-access"}
PROXY_SECRET_HEADER = "X-Proxy-Secret"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class Headers:
    """Names of the plain headers of `proxy-header`; "" for those that are not sent."""

    user: str
    stable_id: str
    email: str
    name: str
    groups: str
    separator: str


@dataclass(frozen=True, slots=True)
class Signed:
    """Where the assertion of `proxy-jwt` stands and what it must bear."""

    header: str
    jwks_url: str
    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    mode: str = "local"
    preset: str = ""
    peers: Peers = field(default_factory=Peers)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    headers: Headers | None = None
    signed: Signed | None = None
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
        return self.headers is not None or self.signed is not None

    @property
    def is_local(self) -> bool:
        return self.mode == "local"

    @property
    def identity_headers(self) -> list[str]:
        """The headers that say who somebody is; the one without which nobody is, first."""
        if self.signed:
            return [self.signed.header]
        if not self.headers:
            return []
        found = self.headers
        names = [found.user, found.stable_id, found.email, found.name, found.groups]
        return list(dict.fromkeys(name for name in names if name))

    @property
    def asserts_at_sign_in(self) -> bool:
        """Whether an assertion is made when somebody comes in, and kept for the whole session."""
        return self.signed is not None and self.preset in ASSERTED_AT_SIGN_IN

    @property
    def source(self) -> str:
        """Whose word the identities are: the issuer, or the kind of proxy."""
        return self.signed.issuer if self.signed else f"proxy:{self.preset or 'headers'}"

    @property
    def backends(self) -> list[str]:
        """The ways of signing in whose sessions are believed; all others end by a restart."""
        own = {"oidc": [f"{BACKENDS}.OidcBackend"], "local": [LOCAL_BACKEND]}
        found = own.get(self.mode, [f"{BACKENDS}.ProxyBackend"])
        return [*found, LOCAL_BACKEND] if self.local_fallback else found
