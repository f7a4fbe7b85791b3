"""Read environment variables, typed; a wrong value raises a sentence that says what is right."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import idna
from django.core.exceptions import ImproperlyConfigured
from redis import ConnectionPool, RedisError

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
#: Browsers read a host with such an end as an IPv4 address: 127.1 and 0x7f.1 are 127.0.0.1.
NUMERIC_END = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)")
#: Only what no shell, header or template could take for something else.
URL_PATH = re.compile(r"(/([A-Za-z0-9._~@:+,=-]|%[0-9A-Fa-f]{2})*)*")
#: `urlsplit` drops tabs and line breaks without a word.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
DATABASE_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:(?P<port>\d+))?")
#: Django would take these from DATABASE_URL, and fail at the first page.
DATABASE_POOL_OPTIONS = {"pool", "assume_role", "isolation_level", "server_side_binding"}
BIND_ADDRESS = re.compile(
    r"unix:.+|fd://[0-9]{1,9}|(\[[\w:.%]+\]|[\w.-]*):(?P<port>[0-9]{1,5})", re.ASCII
)
MAX_PORT = 65_535
DEFAULT_PORTS = {"http": 80, "https": 443}
#: Python refuses to convert much longer numbers, with a traceback.
MAX_COUNT_DIGITS = 20

NAMED_MAIL_ADDRESS = re.compile(r"[^<>]*<(?P<address>[^<>]*)>")
#: Kinds of mail servers, with their usual ports.
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}

#: Every name that was read; a test compares them with the documentation.
names_read: set[str] = set()


@contextmanager
def exit_on_wrong_value() -> Iterator[None]:
    """End the process with the sentence alone, which a traceback would bury."""
    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def text(name: str, default: str | None = None) -> str:
    """Read NAME, or the file that NAME_FILE names; without a default it must be set."""
    names_read.add(name)
    value = _file_content(name) or os.environ.get(name, "")
    if value := value.strip():
        return value
    if default is None:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE; see docs/configuration.md.")
    return default


def _file_content(name: str) -> str:
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return ""
    try:
        content = Path(path).read_text("utf-8-sig")  # some editors write a byte order mark
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: it is not UTF-8 text.") from None
    if "\0" in content:  # UTF-16 without a byte order mark
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: it is not UTF-8 text.")
    if not content.strip():  # a secret that was not mounted must not count as "not wanted"
        raise ImproperlyConfigured(f"{name}_FILE is empty: {path}. Fill it, or unset {name}_FILE.")
    return content


def flag(name: str, *, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value not in {"true", "false"}:
        raise _wrong(name, value, "true or false")
    return value == "true"


def seconds(name: str, default: float) -> float:
    value = text(name, str(default))
    if not NUMBER.fullmatch(value):
        raise _wrong(name, value, "a number of seconds such as 15")
    number = float(value)
    if not 0 < number <= 86_400:
        raise _wrong(name, value, "a number of seconds between 0 and 86400, such as 15")
    return number


def count(name: str, default: int, *, least: int = 1, most: int = 100_000) -> int:
    value = text(name, str(default))
    is_number = value.isascii() and value.isdigit() and len(value) <= MAX_COUNT_DIGITS
    if not (is_number and least <= int(value) <= most):
        raise _wrong(name, value, f"a whole number from {least} to {most}, such as {default}")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def bind_addresses(name: str, default: str) -> str:
    """Read where gunicorn listens: `host:port`, `unix:/path` or `fd://3`, or several."""
    value = text(name, default)
    for word in words(name, default):
        match = BIND_ADDRESS.fullmatch(word)
        if not match or int(match["port"] or 0) > MAX_PORT:
            raise _wrong(name, word, f"an address and a port, such as {default}")
    return value


def one_of(name: str, choices: list[str], default: str) -> str:
    value = text(name, default)
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise _wrong(name, value, "one of " + ", ".join(choices))


def hosts(name: str, default: str) -> list[str]:
    """Read host names as Django compares them: `*`, `.example.com`, `[2001:db8::5]`."""
    return [_host(name, word) for word in words(name, default)]


def _host(name: str, word: str) -> str:
    right = "host names such as keys.example.com,[2001:db8::5], without scheme and port"
    dot = "." if word.startswith(".") else ""
    plain = word.removeprefix(".").strip("[]")
    if word == "*":
        return word
    try:
        return dot + _normalised_host(plain.lower())
    except ValueError:
        raise _wrong(name, word, right) from None


def networks(name: str) -> list[Network]:
    return [
        _parsed(
            name, word, ipaddress.ip_network, "addresses or networks such as 10.0.0.5,10.1.0.0/24"
        )
        for word in words(name)
    ]


def url(name: str, default: str, *, http_anywhere: bool = False) -> SplitResult:
    """Read an http(s) address without a query; plain http only for this machine."""
    return checked_url(name, text(name, default).rstrip("/"), http_anywhere=http_anywhere)


def checked_url(name: str, value: str, *, http_anywhere: bool = False) -> SplitResult:
    """Parse an address and write its host as browsers do: lower case, IDNA, short IPv6."""
    parts = _parsed(name, value, _split, "an address such as https://example.com")
    if parts.username or parts.password:
        raise ImproperlyConfigured(f"{name} must not hold a user name or a password.")
    if parts.scheme not in DEFAULT_PORTS or parts.query or parts.fragment:
        raise _wrong(name, value, "an address such as https://example.com")
    if not URL_PATH.fullmatch(parts.path) or _has_dots(parts.path):
        raise _wrong(name, value, "an address whose path has no spaces or special characters")
    try:
        host = _normalised_host(parts.hostname or "")
    except ValueError:
        raise _wrong(name, value, "an address such as https://example.com") from None
    if parts.scheme == "http" and not (http_anywhere or is_loopback(host.strip("[]"))):
        raise _wrong(name, value, "an https address (plain http is for this machine only)")
    is_default_port = parts.port in {None, DEFAULT_PORTS[parts.scheme]}
    return parts._replace(netloc=host if is_default_port else f"{host}:{parts.port}")


def _has_dots(path: str) -> bool:
    return bool({".", ".."} & set(unquote(path).split("/")))


def _normalised_host(host: str) -> str:
    if ":" in host:
        if "%" in host:
            raise ValueError("a zone, which means something on one machine only")
        return f"[{ipaddress.IPv6Address(host)}]"
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode()  # its errors are ValueErrors
    ascii_host = host.encode("idna").decode().rstrip(".")
    if not HOST_NAME.fullmatch(ascii_host):
        raise ValueError(host)
    if NUMERIC_END.fullmatch(ascii_host):
        ipaddress.IPv4Address(ascii_host)
    return ascii_host


def public_url(name: str, default: str) -> SplitResult:
    """Read the console's own address, whose path goes into cookies and headers as it is."""
    parts = url(name, default)
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", parts.path):
        raise _wrong(
            name, parts.geturl(), "an address whose path has letters, digits and .-_~ only"
        )
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


def folder(name: str, default: Path) -> Path:
    """Read a directory that this process writes to, and create it for this user alone."""
    path = _path(name, default)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = path.stat().st_uid
        if os.access(path, os.R_OK | os.W_OK | os.X_OK):
            return path
    except FileExistsError:
        raise ImproperlyConfigured(f"{name} is {str(path)!r}, which is not a directory.") from None
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} {path} cannot be created by uid {os.getuid()}: {error.strerror}."
        ) from None
    raise ImproperlyConfigured(
        f"{name} {path} cannot be written by uid {os.getuid()}; it belongs to uid {owner}. "
        f"Run `chown {os.getuid()} {path}`, or start as that user."
    )


def public_folder(name: str, default: Path, *, private: list[Path]) -> Path:
    """Read a directory whose files everybody may download, so that it must not hold private ones.

    It may be missing, or belong to another user: only `collectstatic` writes to it.
    """
    path = _path(name, default)
    for one in private:
        if one.resolve().is_relative_to(path.resolve()):
            raise ImproperlyConfigured(
                f"{name} {path} holds {one}, and everybody can download what is in {name}. "
                f"Give it a folder of its own, such as {default}."
            )
    return path


def _path(name: str, default: Path) -> Path:
    value = text(name, str(default))
    if _is_for_a_shell(value):
        raise _wrong(name, value, "the whole path of a folder, such as /var/lib/estuary-admin")
    return Path(value).absolute()


def _is_for_a_shell(path: str) -> bool:
    """Whether only a shell would replace the beginning of the path."""
    return path.startswith(("~", "$"))


def database(name: str) -> dict[str, Any] | None:
    """Read a database's address; the error leaves it out, because it may hold a password."""
    value = text(name, "")
    try:
        return _database(_without_control_characters(value)) if value else None
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must look like sqlite:////path/to/file.sqlite3 "
            "or postgres://user:password@host:5432/name; write special characters in its parts "
            "percent-encoded, such as %23 for #."
        ) from None


def _database(parts: SplitResult) -> dict[str, Any]:
    host, port = _hosts_and_ports(parts.netloc.rpartition("@")[2])
    path = _unquoted(parts.path[1:])
    if parts.fragment or "@" in parts.path:
        raise ValueError("an unquoted # or /, perhaps of a password")
    if path.endswith("/"):
        raise ValueError("a folder, or a slash that is not of the name")
    if parts.scheme == "sqlite":
        # SQLite reads these two otherwise: as no file, and as an address with options.
        is_special = path == ":memory:" or path.startswith("file:")
        if not path or host or parts.query or is_special or _is_for_a_shell(path):
            raise ValueError("no path, or more than a path")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path}
    if path.startswith("/"):  # postgres:////directory/of/the/socket/name
        host, _, path = path.rpartition("/")
    if parts.scheme not in {"postgres", "postgresql"} or not path:
        raise ValueError("another database, or no name")
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    if options.keys() & DATABASE_POOL_OPTIONS:
        raise ValueError("an option of Django's, which is no text")
    _check_options(options)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": path,
        "USER": _unquoted(parts.username or ""),
        "PASSWORD": _unquoted(parts.password or ""),
        "HOST": host,
        "PORT": port,
        "OPTIONS": options,
    }


def _hosts_and_ports(netloc: str) -> tuple[str, str]:
    """The decoded hosts and the ports, each as libpq takes them: separated by commas."""
    hosts, ports = [], []
    for one in netloc.split(","):
        match = DATABASE_HOST.fullmatch(one)
        if not match or int(match["port"] or 1) not in range(1, 65_536):
            raise ValueError("a wrong host or port")
        hosts.append(_unquoted(match["host"].strip("[]")))
        ports.append(match["port"] or "")
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _check_options(options: dict[str, str]) -> None:
    """Refuse what libpq does not know: it would fail at the first page."""
    if not options:
        return
    from psycopg import ProgrammingError, conninfo  # only for PostgreSQL: importing takes time

    try:
        conninfo.make_conninfo(**options)
    except ProgrammingError:
        raise ValueError("an option that libpq does not know") from None


def redis(name: str) -> str:
    """Read a Redis address, or "" for none; the error leaves it out, because of its password."""
    value = text(name, "")
    if not value:
        return ""
    try:
        parts = _split(value)
        is_redis = parts.scheme in {"redis", "rediss"} and bool(parts.hostname)
        # redis-py reads `/x` as database 0, and `/1/2` as 12.
        is_number = re.fullmatch(r"(/[0-9]*)?", parts.path)
        if is_redis and is_number and not parts.fragment:
            address = parts.scheme + value[len(parts.scheme) :]  # redis-py wants lower case
            # Connects to nothing; raises ValueError, or TypeError for an unknown option.
            ConnectionPool.from_url(address).make_connection()
            return address
    except (ValueError, TypeError, RedisError):
        pass
    raise ImproperlyConfigured(
        f"{name} must look like redis://:password@host:6379/0; write special characters in it "
        "percent-encoded, such as %23 for #."
    )


def mail_server(name: str) -> dict[str, Any]:
    """Read a mail server's address as Django's settings; the sentence leaves it out.

    `smtp+tls` is STARTTLS, `smtps` is TLS from the start. Without a value mail goes nowhere.
    """
    value = text(name, "")
    if not value:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    try:
        parts = _split(value)
        is_plain = parts.path in {"", "/"} and not parts.query and not parts.fragment
        if parts.scheme in MAIL_PORTS and parts.hostname and is_plain:
            return {
                "EMAIL_HOST": parts.hostname,
                "EMAIL_PORT": parts.port or MAIL_PORTS[parts.scheme],
                "EMAIL_HOST_USER": _unquoted(parts.username or ""),
                "EMAIL_HOST_PASSWORD": _unquoted(parts.password or ""),
                "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
                "EMAIL_USE_SSL": parts.scheme == "smtps",
            }
    except ValueError:  # the port
        pass
    raise ImproperlyConfigured(
        f"{name} must look like smtp+tls://user:password@mail.example.com:587."
    )


def mail_address(name: str, default: str) -> str:
    """Read the sender of mails: an address, or `Name <address>`."""
    value = text(name, default)
    with_name = NAMED_MAIL_ADDRESS.fullmatch(value)
    _check_address(name, value, with_name["address"] if with_name else value)
    return value


def mail_addresses(name: str) -> list[str]:
    """Read plain addresses, separated by commas."""
    addresses = words(name)
    for address in addresses:
        _check_address(name, address, address)
    return addresses


def _check_address(name: str, value: str, address: str) -> None:
    try:
        is_whole = bool(Address(addr_spec=address).domain)
    except (ValueError, IndexError, HeaderParseError):  # what Python's parser raises
        is_whole = False
    if not is_whole or CONTROL_CHARACTERS.search(value):
        raise _wrong(name, value, "a mail address such as ops@example.com")


def mail_domain(hostname: str) -> str:
    """The host as the part of a mail address after the @, which writes numbers in brackets."""
    try:
        address = ipaddress.ip_address(hostname)
    except ValueError:
        return hostname
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _split(value: str) -> SplitResult:
    parts = _without_control_characters(value)
    if parts.port == 0:
        raise ValueError("nothing listens on port 0")
    return parts


def _unquoted(value: str) -> str:
    """Decode percent signs; raises ValueError for what is no UTF-8 text."""
    decoded = unquote(value, errors="strict")
    if CONTROL_CHARACTERS.search(decoded):
        raise ValueError("an encoded control character")
    return decoded


def _without_control_characters(value: str) -> SplitResult:
    if CONTROL_CHARACTERS.search(value):
        raise ValueError("a control character")
    return urlsplit(value)


def _parsed(name: str, value: str, parse: Callable[[str], T], right: str) -> T:
    try:
        return parse(value)
    except ValueError:
        raise _wrong(name, value, right) from None


def _wrong(name: str, value: str, right: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}; give {right}.")
