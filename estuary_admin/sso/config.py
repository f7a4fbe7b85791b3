"""What the SSO_* variables say, as typed values; contradictions stop the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env
from estuary_admin.sso.modes import MODES
from estuary_admin.sso.peers import Peers
from estuary_admin.sso.presets import PRESETS, preset_of
from estuary_admin.sso.reading import Reader

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
    def source(self) -> str:
        """Whose word the identities are: the issuer, or the kind of proxy."""
        return self.signed.issuer if self.signed else f"proxy:{self.preset or 'headers'}"

    @property
    def backends(self) -> list[str]:
        """The ways of signing in whose sessions are believed; all others end by a restart."""
        local = ["allauth.account.auth_backends.AuthenticationBackend"]
        if not self.is_proxy:
            return local
        return ["estuary_admin.sso.backends.ProxyBackend", *(local if self.local_fallback else [])]


def read(public_url: SplitResult) -> Config:
    mode = env.one_of("SSO_MODE", MODES, "local")
    preset = preset_of(mode)
    reader = Reader(mode, PRESETS.get(mode, {}).get(preset, {}), public_url)
    groups_known = bool(reader.text("SSO_GROUPS_HEADER") or reader.text("SSO_GROUPS_CLAIM"))
    config = Config(
        mode=mode,
        preset=preset,
        peers=reader.peers(),
        secrets=reader.secrets(),
        headers=_headers(reader),
        signed=_signed(reader),
        user_claim=reader.text("SSO_USER_CLAIM") or "preferred_username",
        groups_claim=reader.text("SSO_GROUPS_CLAIM"),
        admin_groups=frozenset(reader.groups("SSO_ADMIN_GROUPS", known=groups_known)),
        member_groups=frozenset(reader.groups("SSO_MEMBER_GROUPS", known=groups_known)),
        auto_create=reader.flag("SSO_AUTO_CREATE", default=True),
        logout_url=reader.logout_url(),
        local_fallback=reader.flag("SSO_LOCAL_FALLBACK", default=False),
    )
    reader.refuse_strays()
    return config


def _headers(reader: Reader) -> Headers | None:
    found = Headers(
        user=reader.header("SSO_USER_HEADER"),
        stable_id=reader.header("SSO_ID_HEADER"),
        email=reader.header("SSO_EMAIL_HEADER"),
        name=reader.header("SSO_NAME_HEADER"),
        groups=reader.header("SSO_GROUPS_HEADER"),
        separator=reader.separator(),
    )
    if reader.mode != "proxy-header":
        return None
    if not found.user:
        raise ImproperlyConfigured(
            "SSO_MODE is 'proxy-header': set SSO_PRESET, or SSO_USER_HEADER to the header that "
            "holds the name, such as Remote-User."
        )
    return found


def _signed(reader: Reader) -> Signed | None:
    issuer = reader.text("SSO_JWT_ISSUER")
    found = Signed(
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
