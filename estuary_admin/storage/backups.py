"""Backs up an SQLite database while the console runs, and restores it while it is stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from estuary_admin.storage.backup_rows import BackupDoesNotFit, copy_rows

#: The names that `back_up` gives in a folder.
_is_dated_copy = re.compile(r"estuary-admin-\d{8}-\d{6}\.sqlite3").fullmatch
#: Locked files, open until the process ends; see `hold_database`.
_held_locks: list[IO[bytes]] = []


class BackupRefused(Exception):
    """Nothing was done; the message says why."""


def hold_database() -> None:
    """Lock the database against `restore` until this process ends."""
    if connection.vendor == "sqlite":
        lock = _lock_file()
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits for a running restore
        _held_locks.append(lock)


def back_up(target: str) -> Path:
    """Write a consistent copy of the database to a new file, without blocking writers.

    A folder, or a name that ends in a slash, gets a copy named by the time.
    """
    _refuse_unless_sqlite("Use pg_dump for a copy of a PostgreSQL database: docs/operations.md.")
    if not MigrationRecorder(connection).has_table():
        raise BackupRefused(f"{_database()} has no tables yet. Run `manage.py migrate` first.")
    path = _new_file(target)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BackupRefused(f"{path} exists already; nothing is overwritten.") from None
    except OSError as error:
        raise BackupRefused(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with _opened(_database()) as source, _opened(path) as copy:
            source.backup(copy)  # in one step: with more it starts again after each write
            copy.execute("PRAGMA journal_mode=DELETE")  # a single file, without a -wal
        check_backup(path)
    except BaseException as error:
        for each in (path, path.with_name(f"{path.name}-journal")):
            each.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error | OSError):
            raise BackupRefused(_failed_write(path, error)) from None
        raise
    with contextlib.suppress(OSError):  # the copy exists anyway
        record_backup()
    return path


def delete_old_backups(made: Path, days: int) -> list[Path]:
    """Delete the dated copies beside a new one that are older than so many days.

    The new one stays, whatever time a file server with another clock gives it.
    """
    oldest = time.time() - days * 86_400
    dated = (path for path in made.parent.iterdir() if _is_dated_copy(path.name))
    old = [path for path in dated if path != made and _mtime(path) < oldest]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def record_backup() -> None:
    """Note the time, for `last_backup`; also after a pg_dump."""
    _record_file().write_text(json.dumps({"at": time.time()}), encoding="utf-8")


def last_backup() -> datetime | None:
    """The time of this machine's last backup."""
    try:
        at = json.loads(_record_file().read_text(encoding="utf-8"))["at"]
        return datetime.fromtimestamp(at, UTC)
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def restore(source: Path) -> Path | None:
    """Replace the database with a backup; returns the new place of the old one, if there was one.

    Sessions are not restored: a member who signed out after the backup stays signed out.
    """
    _refuse_unless_sqlite("Use pg_restore for a PostgreSQL database: docs/operations.md.")
    applied = check_backup(source)
    database = _database()
    connections.close_all()
    with _exclusive_lock():
        fresh = database.with_name(f"{database.name}.restoring")
        try:
            copy_rows(source, fresh, applied)
        except BackupDoesNotFit as error:
            raise BackupRefused(f"{source} was not restored: {error}") from None
        except (sqlite3.Error, OSError) as error:
            raise BackupRefused(_failed_write(fresh, error)) from None
        before = _moved_aside(database)
        fresh.rename(database)
    for name in {"key_lists", "files"} & set(settings.CACHES):
        caches[name].clear()
    return before


def _moved_aside(database: Path) -> Path | None:
    """Give the files of the database another name; returns the new place, if there was one."""
    before = database.with_name(f"{database.name}.before-{_now()}") if database.exists() else None
    if before:
        # A damaged one is kept as it is: that may be why a backup is restored.
        with contextlib.suppress(sqlite3.Error), _opened(database) as old:
            old.execute("PRAGMA journal_mode=DELETE")  # includes the -wal in the file
        database.rename(before)
    # SQLite would read what is left of another database into the restored file.
    aside = before or database.with_name(f"{database.name}.left-{_now()}")
    for end in ("-wal", "-shm", "-journal"):
        left = Path(f"{database}{end}")
        if left.exists():
            left.rename(f"{aside}{end}")
    return before


def check_backup(path: Path) -> set[tuple[str, str]]:
    """The migrations that a backup has. Raises BackupRefused unless it is a complete database of
    this version or an older one.
    """
    if not path.is_file():
        raise BackupRefused(f"{path} is not a file.")
    try:
        with _opened(path, "ro") as copy:
            [verdict] = copy.execute("PRAGMA integrity_check(1)").fetchone()
            applied = set(copy.execute("SELECT app, name FROM django_migrations"))
    except sqlite3.DatabaseError:
        raise BackupRefused(f"{path} is not a backup of Estuary Admin.") from None
    if ("keys", "0001_initial") not in applied:
        raise BackupRefused(f"{path} is not a backup of Estuary Admin.")
    if verdict != "ok":
        raise BackupRefused(f"{path} is damaged: {verdict}.")
    known = set(MigrationLoader(None).disk_migrations)
    apps = {app for app, _ in known}
    if newer := sorted(name for app, name in applied - known if app in apps):
        raise BackupRefused(f"{path} was made by a newer version, with {newer[-1]}.")
    return applied & known


def _new_file(target: str) -> Path:
    path = Path(target)
    if target.endswith("/"):
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BackupRefused(
                f"The folder {path} cannot be made: {os.strerror(error.errno or 0)}."
            ) from None
    if path.is_dir():
        return path / f"estuary-admin-{_now()}.sqlite3"
    if not path.suffix:
        raise BackupRefused(
            f"{path} is not a folder. Write {path}/ to make it one, or name a file: {path}.sqlite3."
        )
    return path


def _failed_write(path: Path, error: Exception) -> str:
    free = shutil.disk_usage(path.parent).free // 2**20
    needed = sum(_size(Path(f"{_database()}{end}")) for end in ("", "-wal")) // 2**20 + 1
    return (
        f"{path} could not be written: {error}. The database takes {needed} MiB; "
        f"there are {free} MiB free."
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # somebody has just deleted it
        return float("inf")


@contextlib.contextmanager
def _exclusive_lock() -> Iterator[None]:
    try:
        opened = _lock_file()
    except ImproperlyConfigured as error:
        raise BackupRefused(str(error)) from None
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupRefused("A server or worker uses this database. Stop it first.") from None
        yield


@contextlib.contextmanager
def _opened(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, timeout=10, uri=True)) as opened:
        yield opened


def _refuse_unless_sqlite(otherwise: str) -> None:
    if connection.vendor != "sqlite":
        raise BackupRefused(otherwise)


def _database() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _lock_file() -> IO[bytes]:
    path = Path(f"{_database()}.in-use")
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb")
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL: {path.name} cannot be written in {path.parent} ({error.strerror})."
        ) from None


def _record_file() -> Path:
    return Path(settings.DATA_DIR) / "last-backup.json"


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
