"""`manage.py check --deploy`: settings that work but should not be used in production.

Values that cannot work at all stop the start instead; see `environment`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.http.request import split_domain_port, validate_host

from estuary_admin import environment as env
from estuary_admin.secrets.sealing import sealing_keys
from estuary_admin.storage.databases import SQLITE
from estuary_admin.storage.export_storage import Bucket
from estuary_admin.web.client_address import Network, unmapped

#: Prefixes of keys that appear in examples, Django's own among them.
EXAMPLE_SECRET_KEYS = (
    "django-insecure-",
    "changeme",
    "secret",
    "only-while-building",
    "only-for-tests",
)
#: Providers at which anybody can open an account.
OPEN_ISSUERS = (
    "https://accounts.google.com",
    "https://login.microsoftonline.com/common/",
    "https://login.microsoftonline.com/consumers/",
    "https://gitlab.com",
    "https://appleid.apple.com",
)
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs"}
#: A network with a shorter prefix, by IP version, includes most of the internet.
SHORTEST_PREFIX = {4: 8, 6: 16}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One entry of the check: `E…` is an error, `W…` may be intended."""

    id: str
    sentence: str
    fix: str
    is_made: Callable[[], bool]

    def message(self) -> checks.CheckMessage:
        kind = checks.Error if self.id.startswith("E") else checks.Warning
        return kind(self.sentence, hint=self.fix, id=f"estuary_admin.{self.id}")


MISTAKES: list[Mistake] = []


@checks.register(checks.Tags.security, deploy=True)
def deployment_mistakes(**_: Any) -> list[checks.CheckMessage]:
    return [mistake.message() for mistake in MISTAKES if mistake.is_made()]


def mistake(
    number: str, sentence: str, *, fix: str
) -> Callable[[Callable[[], bool]], Callable[[], bool]]:
    """Register the decorated condition, which returns true when the mistake is made."""

    def register(is_made: Callable[[], bool]) -> Callable[[], bool]:
        MISTAKES.append(Mistake(number, sentence, fix, is_made))
        return is_made

    return register


@mistake(
    "E001",
    "SECRET_KEY can be guessed: it is short, has few different characters, or is a known example.",
    fix="Set it to the output of `openssl rand -base64 48`. Everybody has to sign in again.",
)
def secret_key_is_weak() -> bool:
    key = str(settings.SECRET_KEY)
    return len(key) < 50 or len(set(key)) < 10 or key.lower().startswith(EXAMPLE_SECRET_KEYS)


@mistake(
    "E002",
    "DEBUG is on: error pages show code and settings to everybody.",
    fix="Remove DEBUG from the environment.",
)
def debug_is_on() -> bool:
    return bool(settings.DEBUG)


@mistake(
    "E003",
    "TOKEN_SEALING_KEYS is not set: the server does not start, because it could not keep a token.",
    fix="Set it to the output of `openssl rand -base64 32`; keep a copy apart from the database.",
)
def sealing_keys_are_missing() -> bool:
    return not settings.TOKEN_SEALING_KEYS


@mistake(
    "E004",
    "TOKEN_SEALING_KEYS holds a key that a person made up: it is text, not random bytes.",
    fix="Put the output of `openssl rand -base64 32` first, run `reseal_tokens`, remove the old.",
)
def a_sealing_key_is_text() -> bool:
    keys = sealing_keys().values() if settings.TOKEN_SEALING_KEYS else []
    # A random key consists of printable characters only once in 10^13.
    return any(len(set(key)) < 8 or all(32 <= byte < 127 for byte in key) for key in keys)


@mistake(
    "E005",
    "PUBLIC_URL is plain http, but ALLOWED_HOSTS accepts names beyond this machine.",
    fix="Set PUBLIC_URL to the https address that people type.",
)
def public_address_is_http() -> bool:
    others = [name for name in settings.ALLOWED_HOSTS if not env.is_loopback(name.strip("[]"))]
    return not settings.IS_HTTPS and bool(others)


@mistake(
    "E006",
    "TRUSTED_PROXIES holds a network that is nearly everybody: any client can claim any address.",
    fix="Name the addresses of your own proxies.",
)
def trusted_proxies_are_everybody() -> bool:
    return _includes_nearly_everybody(settings.TRUSTED_PROXIES)


@mistake(
    "E007",
    "ALLOWED_HOSTS holds `*`: links on pages can be made to point at another site.",
    fix="Remove it, or name the hosts under which the console is reached.",
)
def any_host_is_allowed() -> bool:
    return "*" in settings.ALLOWED_HOSTS


@mistake(
    "E008",
    "ALLOWED_HOSTS does not include the host of PUBLIC_URL: every page is refused.",
    fix="Add that host, or remove ALLOWED_HOSTS.",
)
def own_host_is_refused() -> bool:
    host, _ = split_domain_port(settings.PUBLIC_URL.netloc)
    return not validate_host(host, settings.ALLOWED_HOSTS)


@mistake(
    "E009",
    "The SQLite file is on a network file system, where its locks are not reliable.",
    fix="Keep DATA_DIR on a disk of this machine, or set DATABASE_URL to a PostgreSQL.",
)
def database_is_on_a_network_disk() -> bool:
    return _is_sqlite() and file_system_of(Path(_database()["NAME"])) in NETWORK_FILE_SYSTEMS


@mistake(
    "E010",
    "SSO_OIDC_ISSUER gives accounts to anybody, and everybody with such an account is a member.",
    fix="Set SSO_MEMBER_GROUPS, or SSO_AUTO_CREATE=false and create members yourself.",
)
def anybody_becomes_a_member() -> bool:
    sso = settings.SSO
    is_open = any(f"{provider.issuer}/".startswith(OPEN_ISSUERS) for provider in sso.providers)
    return is_open and sso.auto_create and not sso.member_groups


@mistake(
    "E011",
    "METRICS_ALLOWED holds a network that is nearly everybody.",
    fix="Name the addresses of your monitors, or use METRICS_TOKEN.",
)
def metrics_are_public() -> bool:
    return _includes_nearly_everybody(settings.METRICS_ALLOWED)


@mistake(
    "W001",
    "REDIS_URL is meant for several machines, but they cannot share the SQLite file in use.",
    fix="Set DATABASE_URL to a PostgreSQL, or remove REDIS_URL if there is one machine.",
)
def sqlite_serves_several_machines() -> bool:
    return _is_sqlite() and _has_redis()


@mistake(
    "W002",
    "TRUSTED_PROXIES is not set: audit and throttles see one address for everybody.",
    fix="Set TRUSTED_PROXIES to the proxy's address as seen from here.",
)
def proxy_is_not_named() -> bool:
    # A unix socket has no addresses, so there is none to name.
    is_socket = env.text("BIND", "").startswith("unix:")
    return settings.IS_HTTPS and not settings.TRUSTED_PROXIES and not is_socket


@mistake(
    "W003",
    "Any program on this machine can claim to be any member: SSO_PROXY_SECRET is not set.",
    fix="Have the proxy send X-Proxy-Secret, and set SSO_PROXY_SECRET to the same value.",
)
def local_programs_can_claim_an_identity() -> bool:
    sso = settings.SSO
    is_here = "127.0.0.1" in sso.peers or "::1" in sso.peers
    return sso.headers is not None and is_here and not sso.secrets


@mistake(
    "W004",
    "SSO_LOCAL_FALLBACK is on: passwords work beside single sign-on.",
    fix="Remove it once single sign-on works again.",
)
def fallback_is_on() -> bool:
    return bool(settings.SSO.local_fallback)


@mistake(
    "W005",
    "ESTUARY_API_URL is plain http to another machine: tokens cross the network unencrypted.",
    fix="Set the node's https address, and remove ESTUARY_ALLOW_HTTP.",
)
def tokens_are_sent_unencrypted() -> bool:
    url = settings.ESTUARY_API_URL
    return url.scheme == "http" and not env.is_loopback(str(url.hostname))


@mistake(
    "W006",
    "SANDBOX is on: every page says that nothing here is real.",
    fix="Remove SANDBOX from the environment.",
)
def sandbox_is_public() -> bool:
    return settings.IS_SANDBOX and settings.IS_HTTPS


@mistake(
    "W007",
    "DATA_DIR can be read by other users of this machine.",
    fix="Run `chmod 700` on it; the database in it holds sessions and password hashes.",
)
def data_can_be_read_by_others() -> bool:
    found = settings.DATA_DIR.stat()
    # Group 0 has root alone on a machine, and the console's own user in OpenShift's containers.
    others = 0o007 if found.st_gid == 0 else 0o077
    return bool(found.st_mode & others)


@mistake(
    "W008",
    "REDIS_URL names another machine and no password: anybody who reaches it can undo throttles.",
    fix="Set a password there (`requirepass`), and put it into REDIS_URL.",
)
def redis_has_no_password() -> bool:
    if not _has_redis():
        return False
    url = urlsplit(settings.CACHES["default"]["LOCATION"])
    return not url.password and not env.is_loopback(str(url.hostname))


@mistake(
    "W009",
    "EXPORT_STORAGE_ENDPOINT is plain http to another machine, and exports are not sealed.",
    fix="Set an https address, or remove EXPORT_SEALED=false.",
)
def exports_are_sent_unencrypted() -> bool:
    place = settings.EXPORT_STORAGE
    if settings.EXPORT_SEALED or not isinstance(place, Bucket):
        return False
    url = urlsplit(place.endpoint)
    return url.scheme == "http" and not env.is_loopback(str(url.hostname))


def file_system_of(path: Path, mounts: str = "/proc/mounts") -> str:
    """The type of the file system that holds a path, or "" where it cannot be determined."""
    try:
        lines = [line.split() for line in Path(mounts).read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    holding = [
        (where, kind) for _, where, kind, *_ in lines if path.resolve().is_relative_to(where)
    ]
    return max(holding, key=lambda found: len(found[0]), default=("", ""))[1]


def _includes_nearly_everybody(networks: list[Network]) -> bool:
    return any(one.prefixlen < SHORTEST_PREFIX[one.version] for one in map(unmapped, networks))


def _is_sqlite() -> bool:
    return bool(_database()["ENGINE"] == SQLITE)


def _database() -> dict[str, str]:
    return settings.DATABASES["default"]


def _has_redis() -> bool:
    return "database" in settings.CACHES  # the substitute while Redis is away
