"""Read environment variables, typed; a wrong value raises a sentence that says what is right."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Only the mapping: `environ.Env` reads a value with a leading dollar as a variable's name.
_values = environ.FileAwareEnv.ENVIRON

#: Every name that was read; a test compares them with the documentation.
names_read: set[str] = set()


def text(name: str, default: str | None = None) -> str:
    """Read NAME, or the file that NAME_FILE names; without a default it must be set."""
    names_read.add(name)
    try:
        value = str(_values.get(name, "")).strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: it is not UTF-8 text.") from None
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE; see docs/configuration.md.")
    return default


def flag(name: str, *, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value not in {"true", "false"}:
        raise _wrong(name, value, "true or false")
    return value == "true"


def seconds(name: str, default: float) -> float:
    value = text(name, str(default))
    number = _parsed(name, value, float, "a number of seconds such as 15")
    if not 0 < number <= 86_400:
        raise _wrong(name, value, "a number of seconds between 0 and 86400, such as 15")
    return number


def count(name: str, default: int, *, least: int = 1) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and least <= int(value) <= 100_000):
        raise _wrong(name, value, f"a whole number from {least}, such as {default}")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def one_of(name: str, choices: list[str], default: str) -> str:
    value = text(name, default)
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise _wrong(name, value, "one of " + ", ".join(choices))


def networks(name: str) -> list[Network]:
    return [
        _parsed(
            name, word, ipaddress.ip_network, "addresses or networks such as 10.0.0.5,10.1.0.0/24"
        )
        for word in words(name)
    ]


def url(name: str, default: str, *, http_anywhere: bool = False) -> SplitResult:
    """Read an http(s) address without a path query; plain http only for this machine."""
    return checked_url(name, text(name, default).rstrip("/"), http_anywhere=http_anywhere)


def checked_url(name: str, value: str, *, http_anywhere: bool = False) -> SplitResult:
    parts = _parsed(name, value, _split, "an address such as https://example.com")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise _wrong(name, value, "an address such as https://example.com")
    if parts.username or parts.password:
        raise ImproperlyConfigured(f"{name} must not hold a user name or a password.")
    if parts.scheme == "http" and not (http_anywhere or is_loopback(parts.hostname)):
        raise _wrong(name, value, "an https address (plain http is for this machine only)")
    return parts


def http_proxy(name: str, *, node: SplitResult) -> str:
    """Read a proxy's address, or "" for none; the sentences leave it out: it may hold a password.

    Only for an https node: the proxy then forwards encrypted bytes (CONNECT) and sees no token.
    """
    value = text(name, "")
    if not value:
        return ""
    try:
        parts = _split(value)
        is_right = parts.scheme == "http" and bool(parts.hostname) and not set(value) & set(" \\")
    except ValueError:
        is_right = False
    if not is_right or parts.path.strip("/") or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"{name} must look like http://user:password@host:3128.")
    if node.scheme != "https":
        raise ImproperlyConfigured(
            f"{name} needs an https node: a proxy would see the tokens that go to an http one. "
            f"Leave {name} out, or set ESTUARY_API_URL to an https address."
        )
    return value.rstrip("/")


def database(name: str, default: str) -> dict[str, Any]:
    """Read a database's address; the error leaves it out, because it may hold a password."""
    value = text(name, default)
    try:
        if urlsplit(value).scheme in {"sqlite", "postgres", "postgresql"}:
            return dict(environ.Env.db_url_config(value))
    except ValueError:  # the host or the port
        pass
    raise ImproperlyConfigured(
        f"{name} must look like sqlite:////path/to/file.sqlite3 "
        "or postgres://user:password@host:5432/name."
    )


def redis(name: str) -> str:
    """Read a Redis address, or "" for none; the error leaves it out, because of its password."""
    value = text(name, "")
    try:
        parts = _split(value)
        if not value or (parts.scheme in {"redis", "rediss"} and parts.hostname):
            return value
    except ValueError:
        pass
    raise ImproperlyConfigured(f"{name} must look like redis://:password@host:6379/0.")


def is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _split(value: str) -> SplitResult:
    parts = urlsplit(value)
    parts.port  # noqa: B018 - access validates it
    return parts


def _parsed(name: str, value: str, parse: Callable[[str], T], right: str) -> T:
    try:
        return parse(value)
    except ValueError:
        raise _wrong(name, value, right) from None


def _wrong(name: str, value: str, right: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}; give {right}.")
