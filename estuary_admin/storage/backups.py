"""Copies of an SQLite database: taken while the console runs, put back while it does not."""

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

from estuary_admin.storage.redis_cache import RedisAway

#: Holders keep it open for as long as they live; see `hold_database`.
_holds: list[IO[bytes]] = []


class Refused(Exception):
    """Why nothing was done, in a sentence."""


def hold_database() -> None:
    """Tell others that a server uses this database, until this process ends in whatever way."""
    if connection.vendor == "sqlite":
        hold = _lock_file()
        fcntl.flock(hold, fcntl.LOCK_SH)  # waits while a copy is put in place
        _holds.append(hold)


def back_up(target: Path) -> Path:
    """Copy the database as it is at one moment, without keeping anybody from writing."""
    _refuse_unless_sqlite("Use pg_dump for a copy of a PostgreSQL database: docs/install.md.")
    if target.is_dir():
        target = target / f"estuary-admin-{_now()}.sqlite3"
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise Refused(f"{target} is there already; nothing is overwritten.") from None
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}.") from None
    try:
        with _opened(_database()) as source, _opened(target) as copy:
            source.backup(copy)  # in one step: one moment, and no start over while others write
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without any beside it
        check_backup(target)
    except BaseException:
        target.unlink()
        raise
    return target


def restore(source: Path) -> Path:
    """Put a copy in the database's place; returns where the database from before is now.

    Sessions and what was kept in passing are left out: whoever was signed out, or switched off,
    since the copy was made must not be signed in by it.
    """
    _refuse_unless_sqlite("Use pg_restore for a PostgreSQL database: docs/install.md.")
    check_backup(source)
    database = _database()
    connections.close_all()
    with _nobody_else_uses_it():
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
    for name in {"key_lists", "files", "sessions"} & set(settings.CACHES):
        with contextlib.suppress(RedisAway):  # what it keeps of sessions lives a minute
            caches[name].clear()
    return before


def check_backup(path: Path) -> None:
    """Raise Refused unless this is a whole database of this console, of this version or older."""
    if not path.is_file():
        raise Refused(f"{path} is no file.")
    try:
        with _opened(path, "ro") as copy:
            [verdict] = copy.execute("PRAGMA integrity_check(1)").fetchone()
            applied = set(copy.execute("SELECT app, name FROM django_migrations"))
    except sqlite3.DatabaseError:
        raise Refused(f"{path} is no backup of Estuary Admin.") from None
    if ("keys", "0001_initial") not in applied:
        raise Refused(f"{path} is no backup of Estuary Admin.")
    if verdict != "ok":
        raise Refused(f"{path} is damaged: {verdict}.")
    known = set(MigrationLoader(None).disk_migrations)
    if newer := sorted(name for app, name in applied if app == "keys" and (app, name) not in known):
        raise Refused(f"{path} was made by a newer version, with {newer[-1]}.")


@contextlib.contextmanager
def _nobody_else_uses_it() -> Iterator[None]:
    with _lock_file() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("A server uses this database. Stop it first.") from None
        yield


@contextlib.contextmanager
def _opened(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, timeout=10, uri=True)) as opened:
        yield opened


def _refuse_unless_sqlite(otherwise: str) -> None:
    if connection.vendor != "sqlite":
        raise Refused(otherwise)


def _database() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _lock_file() -> IO[bytes]:
    path = f"{_database()}.in-use"
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb")


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
