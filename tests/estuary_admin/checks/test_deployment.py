"""`check --deploy` accepts a right configuration and names each mistake."""

from __future__ import annotations

import base64
import secrets
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import checks

from estuary_admin.checks import deployment
from estuary_admin.checks.deployment import MISTAKES, deployment_mistakes
from estuary_admin.sso.config import Config
from estuary_admin.sso.environment import read_config
from estuary_admin.storage.databases import SQLITE
from estuary_admin.storage.export_storage import Bucket
from tests.estuary_admin.test_start import run

RANDOM = base64.b64encode(b"\x00" + secrets.token_bytes(31)).decode()
TYPED = base64.b64encode(b"correct horse battery staple 123").decode()
REDIS = {"database": {}, "default": {"LOCATION": "redis://:password@cache.example.com:6379/0"}}
OPEN_REDIS = {"database": {}, "default": {"LOCATION": "redis://cache.example.com:6379/0"}}
SQLITE_FILE = {"ENGINE": SQLITE, "NAME": "/var/lib/estuary-admin/estuary-admin.sqlite3"}
POSTGRES = {"ENGINE": "django.db.backends.postgresql", "NAME": "keys"}
HERE = urlsplit("http://localhost:8000")

#: Settings that make one mistake each; all others are right.
MISTAKEN: list[tuple[str, dict[str, Any]]] = [
    ("E001", {"SECRET_KEY": "short"}),
    ("E001", {"SECRET_KEY": "ab" * 40}),
    ("E001", {"SECRET_KEY": "django-insecure-" + secrets.token_urlsafe(48)}),
    ("E002", {"DEBUG": True}),
    ("E003", {"TOKEN_SEALING_KEYS": []}),
    ("E004", {"TOKEN_SEALING_KEYS": [RANDOM, TYPED]}),
    ("E004", {"TOKEN_SEALING_KEYS": [base64.b64encode(bytes(32)).decode()]}),
    ("E005", {"PUBLIC_URL": HERE, "IS_HTTPS": False, "ALLOWED_HOSTS": ["localhost", "keys.corp"]}),
    ("E006", {"TRUSTED_PROXIES": [ip_network("0.0.0.0/0")]}),
    ("E006", {"TRUSTED_PROXIES": [ip_network("::ffff:0:0/97")]}),
    ("E007", {"ALLOWED_HOSTS": ["*"]}),
    ("E008", {"ALLOWED_HOSTS": ["localhost"]}),
    ("E008", {"PUBLIC_URL": urlsplit("https://[2001:db8::5]"), "ALLOWED_HOSTS": ["2001:db8::5"]}),
    ("E011", {"METRICS_ALLOWED": [ip_network("::/0")]}),
    ("W001", {"CACHES": REDIS, "_database": SQLITE_FILE}),
    ("W002", {"TRUSTED_PROXIES": []}),
    ("W005", {"ESTUARY_API_URL": urlsplit("http://node.example.com")}),
    ("W006", {"IS_SANDBOX": True}),
    ("W008", {"CACHES": OPEN_REDIS, "_database": POSTGRES}),
    (
        "W009",
        {
            "EXPORT_STORAGE": Bucket("exports", "", "http://s3.example.com", "", "", ""),
            "EXPORT_SEALED": False,
        },
    ),
]
HEADERS = {"SSO_MODE": "proxy-header", "SSO_PRESET": "authelia", "SSO_TRUSTED_PROXIES": "127.0.0.1"}
OIDC = {"SSO_MODE": "oidc", "SSO_OIDC_CLIENT_ID": "console"}
GOOGLE = {**OIDC, "SSO_OIDC_ISSUER": "https://accounts.google.com"}
MISTAKEN_SSO: list[tuple[str, dict[str, str]]] = [
    ("E010", GOOGLE),
    ("W003", HEADERS),
    ("W004", {**OIDC, "SSO_OIDC_ISSUER": "https://id.corp", "SSO_LOCAL_FALLBACK": "true"}),
]


@pytest.fixture(autouse=True)
def _right_settings(settings: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    settings.SECRET_KEY = secrets.token_urlsafe(48)
    settings.TOKEN_SEALING_KEYS = [RANDOM]
    settings.PUBLIC_URL = urlsplit("https://keys.corp")
    settings.IS_HTTPS = True
    settings.ALLOWED_HOSTS = ["keys.corp", "localhost", "127.0.0.1", "[::1]"]
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.5")]
    settings.DATA_DIR = tmp_path
    settings.ESTUARY_API_URL = urlsplit("https://api.estuary.tech")
    settings.SSO = Config()
    # The tests also run on PostgreSQL with Redis; a right configuration here is one machine.
    settings.CACHES = {name: one for name, one in settings.CACHES.items() if name != "database"}


def found() -> list[str]:
    return [str(message.id).removeprefix("estuary_admin.") for message in deployment_mistakes()]


def test_right_settings_are_accepted() -> None:
    assert found() == []


@pytest.mark.parametrize(("name", "values"), MISTAKEN)
def test_a_mistake_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, values: dict[str, Any]
) -> None:
    monkeypatch.setattr(deployment, "_database", lambda: values.get("_database", SQLITE_FILE))
    for setting in values.keys() - {"_database"}:
        setattr(settings, setting, values[setting])

    assert found() == [name]


@pytest.mark.parametrize(("name", "values"), MISTAKEN_SSO)
def test_a_mistake_with_single_sign_on_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, values: dict[str, str]
) -> None:
    for variable, value in values.items():
        monkeypatch.setenv(variable, value)
    settings.SSO = read_config(settings.PUBLIC_URL)

    assert found() == [name]


def test_an_open_provider_is_accepted_when_an_admin_creates_the_members(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {**GOOGLE, "SSO_AUTO_CREATE": "false"}.items():
        monkeypatch.setenv(variable, value)
    settings.SSO = read_config(settings.PUBLIC_URL)

    assert found() == []


@pytest.mark.parametrize(
    ("mode", "group", "mistakes"),
    [
        (0o700, 1000, []),
        (0o750, 1000, ["W007"]),
        (0o770, 0, []),  # OpenShift: any user, whose group is 0
        (0o775, 0, ["W007"]),
    ],
)
def test_a_data_folder_that_others_can_read_is_named(
    settings: Any, mode: int, group: int, mistakes: list[str]
) -> None:
    state = SimpleNamespace(st_mode=mode, st_gid=group)
    settings.DATA_DIR = SimpleNamespace(stat=lambda: state)

    assert found() == mistakes


def test_a_database_on_a_network_file_system_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nfiler:/keys /var/lib nfs4 rw 0 0\n")
    real = deployment.file_system_of
    monkeypatch.setattr(deployment, "file_system_of", lambda path: real(path, str(mounts)))
    monkeypatch.setattr(deployment, "_database", lambda: SQLITE_FILE)

    assert found() == ["E009"]
    assert real(Path("/srv/keys"), str(mounts)) == "ext4"
    assert real(Path("/srv/keys"), str(tmp_path / "none")) == ""


def test_a_unix_socket_needs_no_trusted_proxy(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRUSTED_PROXIES = []
    monkeypatch.setenv("BIND", "unix:/run/estuary-admin.sock")

    assert found() == []


def test_each_mistake_has_its_own_id_a_test_and_a_severity() -> None:
    ids = [mistake.id for mistake in MISTAKES]
    tested = {name for name, _ in [*MISTAKEN, *MISTAKEN_SSO]} | {"E009", "W007"}

    assert sorted(set(ids)) == sorted(ids) == sorted(tested)
    for mistake in MISTAKES:
        assert isinstance(
            mistake.message(), checks.Error if mistake.id[0] == "E" else checks.Warning
        )


RIGHT = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "TOKEN_SEALING_KEYS": RANDOM,
    "PUBLIC_URL": "https://keys.corp",
    "TRUSTED_PROXIES": "10.0.0.5",
}
SEVERAL = {
    "DATABASE_URL": "postgres://keys:password@db.corp/keys",
    "REDIS_URL": "redis://:password@cache.corp",
    "HSTS_SUBDOMAINS": "true",
    "HSTS_PRELOAD": "true",
    **HEADERS,
    "SSO_TRUSTED_PROXIES": "10.0.0.5",
}


@pytest.mark.parametrize("more", [{}, SEVERAL], ids=["one machine", "several behind a proxy"])
def test_the_command_reports_no_issues_with_right_settings(
    tmp_path: Path, more: dict[str, str]
) -> None:
    environment = {**RIGHT, **more, "DATA_DIR": str(tmp_path / "data")}
    checked = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **environment)

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_the_command_names_the_mistake_and_the_fix(tmp_path: Path) -> None:
    wrong = {**RIGHT, "SECRET_KEY": "guess", "DEBUG": "true", "DATA_DIR": str(tmp_path / "data")}
    checked = run("manage.py", "check", "--deploy", **wrong)

    assert checked.returncode == 1
    assert "(estuary_admin.E001) SECRET_KEY can be guessed" in checked.stderr
    assert "HINT: Set it to the output of `openssl rand -base64 48`." in checked.stderr
    assert "(estuary_admin.E002) DEBUG is on" in checked.stderr
    assert "security." not in checked.stderr  # Django's own checks would repeat ours
