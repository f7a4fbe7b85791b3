"""Whether a mistake is made; `advice` has the words."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from estuary_admin import environment as env
from estuary_admin.secrets.sealing import sealing_keys
from estuary_admin.storage.databases import SQLITE
from estuary_admin.web.networks import Network, unmapped

#: Beginnings of keys that stand in examples, Django's own among them.
KNOWN = ("django-insecure-", "changeme", "secret", "only-while-building", "only-for-tests")
#: Who gives anybody an account.
OPEN_ISSUERS = (
    "https://accounts.google.com",
    "https://login.microsoftonline.com/common/",
    "https://login.microsoftonline.com/consumers/",
    "https://gitlab.com",
    "https://appleid.apple.com",
)
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs"}
WIDE = {4: 8, 6: 16}  # fewer bits than these mean nearly everybody


def weak_secret_key() -> bool:
    key = str(settings.SECRET_KEY)
    return len(key) < 50 or len(set(key)) < 10 or key.lower().startswith(KNOWN)


def debug() -> bool:
    return bool(settings.DEBUG)


def no_sealing_keys() -> bool:
    return not settings.TOKEN_SEALING_KEYS


def typed_sealing_key() -> bool:
    keys = sealing_keys().values() if settings.TOKEN_SEALING_KEYS else []
    # Of random keys, one in 10^13 could be read aloud.
    return any(len(set(key)) < 8 or all(32 <= byte < 127 for byte in key) for key in keys)


def local_address_in_public() -> bool:
    others = [name for name in settings.ALLOWED_HOSTS if not env.is_loopback(name.strip("[]"))]
    return not settings.IS_HTTPS and bool(others)


def everybody_is_a_proxy() -> bool:
    return _is_nearly_everybody(settings.TRUSTED_PROXIES)


def any_host() -> bool:
    return "*" in settings.ALLOWED_HOSTS


def own_host_refused() -> bool:
    host = str(settings.PUBLIC_URL.hostname)
    fitting = (
        name in {"*", host} or (name.startswith(".") and f".{host}".endswith(name))
        for name in (name.lower().strip("[]") for name in settings.ALLOWED_HOSTS)
    )
    return not any(fitting)


def database_over_the_network() -> bool:
    return _is_sqlite() and file_system_of(Path(_database()["NAME"])) in NETWORK_FILE_SYSTEMS


def anybody_is_a_member() -> bool:
    sso = settings.SSO
    is_open = any(f"{provider.issuer}/".startswith(OPEN_ISSUERS) for provider in sso.providers)
    return is_open and sso.auto_create and not sso.member_groups


def monitor_is_everybody() -> bool:
    return _is_nearly_everybody(settings.METRICS_ALLOWED)


def sqlite_for_several() -> bool:
    return _is_sqlite() and _has_redis()


def unknown_proxy() -> bool:
    # A unix socket has no addresses: there is nothing that could be named.
    is_socket = env.text("BIND", "").startswith("unix:")
    return settings.IS_HTTPS and not settings.TRUSTED_PROXIES and not is_socket


def no_second_lock() -> bool:
    sso = settings.SSO
    is_here = "127.0.0.1" in sso.peers or "::1" in sso.peers
    return sso.headers is not None and is_here and not sso.secrets


def fallback_left_open() -> bool:
    return bool(settings.SSO.local_fallback)


def tokens_in_clear() -> bool:
    url = settings.ESTUARY_API_URL
    return url.scheme == "http" and not env.is_loopback(str(url.hostname))


def sandbox_in_public() -> bool:
    return settings.IS_SANDBOX and settings.IS_HTTPS


def open_data() -> bool:
    return bool(settings.DATA_DIR.stat().st_mode & 0o077)


def open_redis() -> bool:
    if not _has_redis():
        return False
    url = urlsplit(settings.CACHES["sessions"]["LOCATION"])
    return not url.password and not env.is_loopback(str(url.hostname))


def file_system_of(path: Path, mounts: str = "/proc/mounts") -> str:
    """The kind of the file system that holds a path, "" where that cannot be told."""
    try:
        lines = [line.split() for line in Path(mounts).read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    holding = [
        (where, kind) for _, where, kind, *_ in lines if path.resolve().is_relative_to(where)
    ]
    return max(holding, key=lambda found: len(found[0]), default=("", ""))[1]


def _is_nearly_everybody(networks: list[Network]) -> bool:
    return any(one.prefixlen < WIDE[one.version] for one in map(unmapped, networks))


def _is_sqlite() -> bool:
    return bool(_database()["ENGINE"] == SQLITE)


def _database() -> dict[str, str]:
    return settings.DATABASES["default"]


def _has_redis() -> bool:
    return "sessions" in settings.CACHES
