"""Backs up an SQLite database while the console runs, and restores it while it is stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

from django.conf import settings
from django.core.cache import caches
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader

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


def back_up(target: Path) -> Path:
    """Write a consistent copy of the database, without blocking writers."""
    _refuse_unless_sqlite("Use pg_dump for a copy of a PostgreSQL database: docs/install.md.")
    if target.is_dir():
        target = target / f"estuary-admin-{_now()}.sqlite3"
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BackupRefused(f"{target} is there already; nothing is overwritten.") from None
    except OSError as error:
        raise BackupRefused(f"{target} cannot be written: {error.strerror}.") from None
    try:
        with _opened(_database()) as source, _opened(target) as copy:
            source.backup(copy)  # in one step: with more it starts again after each write
            copy.execute("PRAGMA journal_mode=DELETE")  # a single file, without a -wal
        check_backup(target)
    except BaseException:
        target.unlink()
        raise
    return target


def restore(source: Path) -> Path:
    """Replace the database with a backup; returns the new place of the old database.

    Sessions are not restored: a member who signed out after the backup stays signed out.
    """
    _refuse_unless_sqlite("Use pg_restore for a PostgreSQL database: docs/install.md.")
    check_backup(source)
    database = _database()
    connections.close_all()
    with _exclusive_lock():
        fresh = database.with_name(f"{database.name}.restoring")
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _opened(source, "ro") as given, _opened(fresh) as copy:
            given.backup(copy)
            for table in ("django_session", "cache", "keys_exportlease"):
                with contextlib.suppress(sqlite3.OperationalError):  # one from before it was there
                    copy.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
            copy.commit()
        before = database.with_name(f"{database.name}.before-{_now()}")
        if database.exists():
            with _opened(database) as old:
                old.execute("PRAGMA journal_mode=DELETE")  # takes in what stands beside it
            database.rename(before)
        fresh.rename(database)
    for name in {"key_lists", "files"} & set(settings.CACHES):
        caches[name].clear()
    return before


def check_backup(path: Path) -> None:
    """Raise BackupRefused unless this is a complete database of this version or an older one."""
    if not path.is_file():
        raise BackupRefused(f"{path} is no file.")
    try:
        with _opened(path, "ro") as copy:
            [verdict] = copy.execute("PRAGMA integrity_check(1)").fetchone()
            applied = set(copy.execute("SELECT app, name FROM django_migrations"))
    except sqlite3.DatabaseError:
        raise BackupRefused(f"{path} is no backup of Estuary Admin.") from None
    if ("keys", "0001_initial") not in applied:
        raise BackupRefused(f"{path} is no backup of Estuary Admin.")
    if verdict != "ok":
        raise BackupRefused(f"{path} is damaged: {verdict}.")
    known = set(MigrationLoader(None).disk_migrations)
    if newer := sorted(name for app, name in applied if app == "keys" and (app, name) not in known):
        raise BackupRefused(f"{path} was made by a newer version, with {newer[-1]}.")


@contextlib.contextmanager
def _exclusive_lock() -> Iterator[None]:
    with _lock_file() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupRefused("A server uses this database. Stop it first.") from None
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
    path = f"{_database()}.in-use"
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb")


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
