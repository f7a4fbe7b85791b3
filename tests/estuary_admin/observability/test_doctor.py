"""`manage.py doctor`: one line and one fix for each thing that can be wrong."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from estuary_admin import environment as env
from estuary_admin.observability import doctor, doctor_checks
from estuary_admin.observability.doctor import Check
from estuary_admin.storage import backups, databases
from estuary_admin.storage.static_files import MinifiedStaticFilesStorage
from estuary_admin.web import unreadable_headers
from tests.backing import Backing

pytestmark = pytest.mark.django_db


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> dict[str, doctor.Section]:
    """The doctor without any checks but those that a test registers."""
    autodiscover_modules("doctor")  # registers once in a process, and must not do it here
    sections: dict[str, doctor.Section] = {}
    monkeypatch.setattr(doctor, "_sections", sections)
    return sections


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def states(checks: Iterable[Check]) -> list[str]:
    return ["ok" if each.ok else "warning" if each.is_warning else "broken" for each in checks]


def test_all_is_well(alone: dict[str, doctor.Section], capsys: pytest.CaptureFixture[str]) -> None:
    doctor.register("Disk", lambda: [("The disk turns.", True, "")])

    call_command("doctor")

    assert capsys.readouterr().out == "ok      Disk: The disk turns.\nNothing is broken.\n"


def test_a_broken_thing_has_its_fix_and_fails_the_command(
    alone: dict[str, doctor.Section], capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.register("Disk", lambda: [("The disk is full.", False, "Make room.")])
    doctor.register("Sun", lambda: [Check("It rains.", ok=False, fix="Wait.", is_warning=True)])

    with pytest.raises(CommandError, match=r"1 check has failed\."):
        call_command("doctor")

    assert capsys.readouterr().out.splitlines() == [
        "BROKEN  Disk: The disk is full.",
        "        Fix: Make room.",
        "warning Sun: It rains.",
        "        Fix: Wait.",
    ]


def test_a_check_that_fails_itself_stops_no_other(
    alone: dict[str, doctor.Section], capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> Iterator[Check]:
        raise OSError("no such thing")
        yield

    doctor.register("Disk", breaks)
    doctor.register("Sun", lambda: [("It shines.", True, "")])

    with pytest.raises(CommandError):
        call_command("doctor")

    out = capsys.readouterr().out
    assert "BROKEN  Disk: This could not be checked: OSError: no such thing" in out
    assert "ok      Sun: It shines." in out


def test_every_part_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError):
        call_command("doctor")

    titles = {line[8:].partition(":")[0] for line in capsys.readouterr().out.splitlines()}
    assert titles >= {
        *("Settings", "Data", "Database", "Static files", "Redis", "Mail", "Backups"),
        *("Estuary", "Stored tokens", "Worker", "Single sign-on", "Proxies"),
    }


def test_a_folder_of_somebody_else_is_named_with_both(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert states(doctor_checks.data_dir()) == ["ok"]
    monkeypatch.setattr("os.access", lambda *_: False)

    [check] = doctor_checks.data_dir()

    assert not check.ok
    assert "cannot be written by uid" in check.line


@pytest.mark.parametrize(("free", "state"), [(50, "broken"), (10**6, "ok")])
def test_a_full_disk_is_broken(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = SimpleNamespace(free=free * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert states(doctor_checks.data_dir()) == [state]


def test_a_missing_migration_is_broken() -> None:
    assert set(states(doctor_checks.database())) == {"ok"}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sso'")

    checks = list(doctor_checks.database())

    assert states(checks)[1] == "broken"
    assert " migrations are not applied, from sso.0001_initial on." in checks[1].line


def test_a_script_that_was_not_collected_is_broken(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path / "static"
    collected = MinifiedStaticFilesStorage(location=str(settings.STATIC_ROOT))
    monkeypatch.setattr(doctor_checks, "staticfiles_storage", collected)
    [missing] = doctor_checks.static_files()
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "estuary_admin.storage.static_files.MinifiedStaticFilesStorage"}
    }
    call_command("collectstatic", "--noinput", "--verbosity=0")
    fresh = MinifiedStaticFilesStorage(location=str(settings.STATIC_ROOT))
    monkeypatch.setattr(doctor_checks, "staticfiles_storage", fresh)
    [complete] = doctor_checks.static_files()
    script = next(name for name in fresh.hashed_files if name.endswith(".js"))
    fresh.hashed_files[script] = fresh.hashed_files[script].replace(".js", "0.js")
    shutil.copy(settings.STATIC_ROOT / script, settings.STATIC_ROOT / fresh.hashed_files[script])
    [old] = doctor_checks.static_files()

    assert not missing.ok
    assert complete.ok, complete.line
    assert old.line == f"1 static file is missing or old, such as {script}."


def test_files_without_a_manifest_are_no_mistake() -> None:
    assert staticfiles_storage
    assert states(doctor_checks.static_files()) == ["ok"]


def test_redis_is_asked(redis: Backing) -> None:
    assert "Redis answers in" in next(iter(doctor_checks.redis())).line
    redis.stop()

    [check] = doctor_checks.redis()

    assert check.line == "Redis does not answer (ConnectionError)."
    assert not check.is_warning


def test_a_redis_that_takes_no_writes_is_broken(redis: Backing) -> None:
    client = caches["default"]._cache.get_client(write=True)  # type: ignore[attr-defined]
    client.config_set("min-replicas-to-write", 1)
    try:
        [check] = doctor_checks.redis()
    finally:
        client.config_set("min-replicas-to-write", 0)

    assert check.line.startswith("Redis refuses to store (")
    assert not check.ok


def test_without_redis_there_is_nothing_to_ask(settings: Any) -> None:
    settings.CACHES = {"default": databases.DATABASE_CACHE}

    assert states(doctor_checks.redis()) == ["ok"]


def read_mail_server(settings: Any) -> None:
    """Set what settings.py reads from EMAIL_URL."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    for name, value in env.mail_server("EMAIL_URL").items():
        setattr(settings, name, value)


def test_a_mail_server_is_asked_when_there_is_one(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMAIL_URL", raising=False)
    read_mail_server(settings)
    assert states(doctor_checks.mail()) == ["ok"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{closed.getsockname()[1]}")
        read_mail_server(settings)
        [check] = doctor_checks.mail()

    assert check.line == "The mail server does not let us in (ConnectionRefusedError)."
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert states(doctor_checks.mail()) == ["ok"]


def test_an_old_backup_is_a_warning(data_dir: Path) -> None:
    assert states(doctor_checks.backups()) == ["warning"]
    backups.record_backup()
    assert states(doctor_checks.backups()) == ["ok"]

    with time_machine.travel(timezone.now() + timedelta(days=3), tick=False):
        [check] = doctor_checks.backups()
    assert check.is_warning
    assert check.line == "The last backup is 3 days and 0 hours old."

    (data_dir / "last-backup.json").write_text("[]")
    assert states(doctor_checks.backups()) == ["warning"]


def test_settings_that_should_not_be_used_are_named(settings: Any) -> None:
    settings.DEBUG = True

    checks = {check.line: check for check in doctor_checks.settings_checks()}

    [debug] = [check for line, check in checks.items() if "(estuary_admin.E002)" in line]
    assert not debug.ok
    assert not debug.is_warning
    assert debug.fix


def test_a_proxy_header_that_cannot_be_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable_headers, "_reported", set())
    unreadable_headers.report_unreadable("X-Forwarded-For", "unknown")

    [found] = doctor_checks.proxies()

    assert (found.ok, found.is_warning) == (False, True)
    assert "X-Forwarded-For: 'unknown'" in found.line


def test_a_database_that_is_away_is_explained_once(
    alone: dict[str, doctor.Section], capsys: pytest.CaptureFixture[str]
) -> None:
    def asks() -> Iterator[Check]:
        raise OperationalError("connection refused")
        yield

    doctor.register("Database", asks)
    doctor.register("Worker", asks)

    with pytest.raises(CommandError):
        call_command("doctor")

    out = capsys.readouterr().out
    assert out.count("connection refused") == 1
    assert "BROKEN  Worker: This could not be checked without the database." in out


def test_settings_without_a_message_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.core.checks.run_checks", lambda **_: [])

    [check] = doctor_checks.settings_checks()

    assert (check.line, check.ok) == ("`check --deploy` names no issues.", True)
