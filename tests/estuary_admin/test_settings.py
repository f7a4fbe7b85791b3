"""The settings that follow from the environment, and the values that stop the start."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from estuary_admin import environment

ROOT = Path(__file__).resolve().parents[2]


def settings_of(monkeypatch: pytest.MonkeyPatch, **values: str) -> dict[str, Any]:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(ROOT / "estuary_admin" / "settings.py"))


def test_https_gives_secure_cookies_and_hsts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(monkeypatch, PUBLIC_URL="https://keys.example.com")

    assert found["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert found["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert found["SECURE_SSL_REDIRECT"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://keys.example.com"]
    assert "keys.example.com" in found["ALLOWED_HOSTS"]


def test_hsts_includes_subdomains_only_when_set(monkeypatch: pytest.MonkeyPatch) -> None:
    default = settings_of(monkeypatch, PUBLIC_URL="https://keys.example.com")
    chosen = settings_of(monkeypatch, HSTS_SUBDOMAINS="true", HSTS_PRELOAD="true")

    for setting in ("SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"):
        assert (default[setting], chosen[setting]) == (False, True)


def test_http_on_this_machine_works_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(monkeypatch, PUBLIC_URL="http://localhost:8000")

    assert found["SESSION_COOKIE_NAME"] == "sessionid"
    assert not found["SESSION_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert not found["SECURE_SSL_REDIRECT"]


def test_below_a_path_cookies_static_files_and_addresses_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = settings_of(monkeypatch, PUBLIC_URL="https://example.org/estuary")

    assert found["SESSION_COOKIE_NAME"] == "__Secure-sessionid"  # `__Host-` demands Path=/
    assert found["CSRF_COOKIE_NAME"] == "__Secure-csrftoken"
    assert found["SESSION_COOKIE_PATH"] == found["CSRF_COOKIE_PATH"] == "/estuary"
    assert found["FORCE_SCRIPT_NAME"] == "/estuary"
    assert found["STATIC_URL"] == "/estuary/static/"
    assert found["CSRF_TRUSTED_ORIGINS"] == [found["PUBLIC_ORIGIN"]] == ["https://example.org"]


def test_an_ipv6_address_is_an_allowed_host(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(monkeypatch, PUBLIC_URL="https://[2001:db8::5]")

    assert validate_host("[2001:db8::5]", found["ALLOWED_HOSTS"])


@pytest.mark.parametrize("name", ["da#ta", "da?ta", "da%41", "da ta", "dä+ta"])
def test_the_database_is_in_the_data_folder_whatever_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    found = settings_of(monkeypatch, DATA_DIR=str(tmp_path / name))

    assert found["DATABASES"]["default"]["NAME"] == str(tmp_path / name / "estuary-admin.sqlite3")


def test_sqlite_transactions_are_immediate(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(monkeypatch, DATABASE_URL="sqlite:////tmp/some.sqlite3")

    assert found["DATABASES"]["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_another_database_gets_no_sqlite_options(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(monkeypatch, DATABASE_URL="postgres://keys@db.example/keys")

    assert "transaction_mode" not in found["DATABASES"]["default"].get("OPTIONS", {})


def test_other_users_cannot_read_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings_of(monkeypatch, DATA_DIR=str(tmp_path / "data"))

    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("PUBLIC_URL", "http://keys.example.com"),
        ("PUBLIC_URL", "keys.example.com"),
        ("DEBUG", "1"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("ESTUARY_API_URL", "http://node.example.com"),
        ("ESTUARY_API_URL", "https://node.example.com/a b"),
        ("ESTUARY_API_URL", "https://node.example.com/$(id)"),
        ("PUBLIC_URL", "https://keys.example.com/a%41"),
        ("ALLOWED_HOSTS", "https://keys.example.com"),
        ("ESTUARY_ALLOW_HTTP", "perhaps"),
        ("ESTUARY_HTTP_PROXY", "https://proxy.example.com"),
        ("ESTUARY_HTTP_PROXY", "socks5://proxy.example.com:1080"),
        ("ESTUARY_HTTP_PROXY", "proxy.example.com:3128"),
        ("ESTUARY_HTTP_PROXY", "http://proxy.example.com:port"),
        ("ESTUARY_HTTP_PROXY", "http://proxy.example.com/way"),
        ("ESTUARY_HTTP_PROXY", "http://proxy example.com"),
        ("ESTUARY_TIMEOUT", "15s"),
        ("ESTUARY_EXPORT_TIMEOUT", "-1"),
        ("ESTUARY_FORWARD_CLIENT_IP", "on"),
        ("EXPORT_STORAGE", "s3://"),
        ("EXPORT_STORAGE", "s3://key:secret@bucket"),
        ("EXPORT_STORAGE", "s3://bucket/../other"),
        ("EXPORT_STORAGE", "gs://bucket"),
        ("EXPORT_STORAGE", "s3:/bucket/x"),
        ("EXPORT_STORAGE", "s3:bucket"),
        ("SANDBOX", "x"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "oracle9://x"),
        ("DATABASE_URL", "postgres://keys@db.example:port/keys"),
        ("HSTS_PRELOAD", "true"),  # without HSTS_SUBDOMAINS
        ("METRICS_ALLOWED", "everywhere"),
        ("METRICS_TOKEN", "short"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_of(monkeypatch, **{name: value})


def test_a_proxy_for_an_http_node_stops_the_start_and_its_password_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        ImproperlyConfigured, match="ESTUARY_HTTP_PROXY needs an https node"
    ) as raised:
        settings_of(
            monkeypatch,
            ESTUARY_API_URL="http://127.0.0.1:3004",
            ESTUARY_HTTP_PROXY="http://me:hunter2@proxy.example.com:3128/",
        )
    assert "hunter2" not in str(raised.value)

    settings = settings_of(monkeypatch, ESTUARY_API_URL="https://api.estuary.tech")
    assert settings["ESTUARY_HTTP_PROXY"] == "http://me:hunter2@proxy.example.com:3128"


def test_every_variable_is_documented_and_every_documented_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "names_read", set())
    settings_of(monkeypatch)
    runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.M)) == environment.names_read
    assert set(re.findall(r"^#?([A-Z_]+)=", example, re.M)) == environment.names_read


def test_documented_defaults_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults: dict[str, str] = {}
    read = environment.text

    def recording(name: str, default: str | None = None) -> str:
        defaults.setdefault(name, default or "")
        return read(name, default)

    monkeypatch.setattr(environment, "text", recording)
    settings_of(monkeypatch)
    runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \|.*\| `([^`]+)` \|$", page, re.M))
    shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", example, re.M))

    # An example, defaults below DATA_DIR, and names whose defaults depend on SSO_PRESET.
    for name in [*documented]:
        if name.startswith("SSO_") or name in {"PUBLIC_URL", "DATABASE_URL", "STATIC_ROOT"}:
            del documented[name]
    assert len(documented) > 25
    wrong = {
        name: (defaults[name], value, shown[name])
        for name, value in documented.items()
        if not defaults[name].lower() == value.lower() == shown[name].lower()
    }
    assert wrong == {}


def test_only_the_environment_module_reads_variables() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("estuary_admin", "keys")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.(environ\b(?!\.(setdefault|update))|getenv)", path.read_text("utf-8"))
    ]

    # keys/demo starts a console and passes LOG_LEVEL on to it.
    assert readers == ["estuary_admin/environment.py", "keys/demo/__main__.py"]


def test_gunicorn_is_set_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    monkeypatch.setenv("WEB_KEEPALIVE", "20")
    monkeypatch.setenv("WEB_LIMIT_REQUEST_LINE", "4096")
    monkeypatch.setenv("WEB_LIMIT_REQUEST_FIELD", "65536")

    server = runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    assert server["workers"] == 4
    assert server["keepalive"] == 20
    assert server["limit_request_line"] == 4096
    assert server["limit_request_field_size"] == 65_536


def test_gunicorn_believes_no_forwarded_header_itself() -> None:
    server = runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    assert server["secure_scheme_headers"] == {}
    assert server["forwarder_headers"] == server["forwarded_allow_ips"] == ""


def test_a_wrong_number_of_workers_stops_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "many")

    with pytest.raises(SystemExit, match="WEB_CONCURRENCY is 'many'"):
        runpy.run_path(str(ROOT / "gunicorn.conf.py"))


@pytest.mark.parametrize("value", ["~/static", "$HOME/static"])
def test_a_static_folder_that_only_a_shell_understands_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^STATIC_ROOT is"):
        settings_of(monkeypatch, STATIC_ROOT=value)


@pytest.mark.parametrize("inside", ["", "/.."])
def test_the_folder_of_static_files_must_not_publish_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inside: str
) -> None:
    data = tmp_path / "data"
    with pytest.raises(ImproperlyConfigured, match=r"^STATIC_ROOT .* holds "):
        settings_of(monkeypatch, DATA_DIR=str(data), STATIC_ROOT=f"{data}{inside}")


def test_the_folder_of_static_files_must_not_publish_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    static = tmp_path / "static"
    with pytest.raises(ImproperlyConfigured, match=r"^STATIC_ROOT .* holds "):
        settings_of(
            monkeypatch,
            DATABASE_URL=f"sqlite:///{static}/keys.sqlite3",
            STATIC_ROOT=str(static),
        )


def test_the_folder_of_static_files_must_not_publish_exports_or_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    static = tmp_path / "static"
    for folders in (
        {"EXPORT_STORAGE": f"{static}/exports", "STATIC_ROOT": str(static)},
        {"DATA_DIR": str(tmp_path / "data"), "STATIC_ROOT": str(ROOT)},
    ):
        with pytest.raises(ImproperlyConfigured, match=r"^STATIC_ROOT .* holds "):
            settings_of(monkeypatch, **folders)


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("https://[2001:db8::5]", "estuary-admin@[IPv6:2001:db8::5]"),
        ("https://192.0.2.5", "estuary-admin@[192.0.2.5]"),
        ("https://keys.example.com", "estuary-admin@keys.example.com"),
    ],
)
def test_the_sender_of_mails_is_an_address_that_mail_can_have(
    monkeypatch: pytest.MonkeyPatch, address: str, sender: str
) -> None:
    assert settings_of(monkeypatch, PUBLIC_URL=address)["EMAIL_FROM"] == sender
