"""Copies the rows of a backup into tables that our own migrations make.

A backup may have been tampered with, and a trigger or a view in it would run with each write or
read. Nothing but rows is taken from it, and anything else that it contains is refused.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

#: Left empty: they would bring back what ended after the backup.
TABLES_NOT_RESTORED = {
    *("django_session", "security_membersession", "security_passwordlink"),
    *("cache", "keys_exportlease"),
}


class BackupDoesNotFit(Exception):
    """The backup contains something that is not ours, or lacks something; a sentence."""


def copy_rows(source: Path, fresh: Path, applied: set[tuple[str, str]]) -> None:
    """Make a database of the same migrations as the backup, and copy the backup's rows into it."""
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with _default_database(fresh):
        executor = MigrationExecutor(connection)
        executor.migrate(_newest_of_each_app(executor, applied))
        call_command("createcachetable", verbosity=0)
    with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        address = f"file:{quote(str(source.absolute()))}?mode=ro"
        database.execute("ATTACH ? AS backup", [address])
        _refuse_foreign_objects(database)
        database.execute("BEGIN")
        for table in _tables(database):
            _copy_table(database, table)
        database.execute("DELETE FROM main.sqlite_sequence")
        database.execute(
            "INSERT INTO main.sqlite_sequence SELECT name, seq FROM backup.sqlite_sequence"
        )
        database.execute("COMMIT")


@contextlib.contextmanager
def _default_database(path: Path) -> Iterator[None]:
    """Migrations write through the default connection, so it must lead to the new file."""
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(path)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def _newest_of_each_app(
    executor: MigrationExecutor, applied: set[tuple[str, str]]
) -> list[tuple[str, str]]:
    graph = executor.loader.graph
    return sorted(
        node
        for node in applied
        if not any(
            (child.key[0], child.key[1]) in applied and child.key[0] == node[0]
            for child in graph.node_map[node].children
        )
    )


def _refuse_foreign_objects(database: sqlite3.Connection) -> None:
    ours = _objects(database, "main")
    found = _objects(database, "backup")
    for (kind, name), sql in sorted(found.items()):
        if (kind, name) not in ours:
            raise BackupDoesNotFit(f"it has a foreign {kind}, {name}.")
        is_virtual = kind == "table" and not sql.upper().startswith("CREATE TABLE")
        is_changed = kind != "table" and _plain(sql) != _plain(ours[kind, name])
        if is_virtual or is_changed:
            raise BackupDoesNotFit(f"its {kind} {name} is not the one that we make.")
    missing = {name for kind, name in ours if kind == "table"} - {name for _, name in found}
    if missing - TABLES_NOT_RESTORED:
        raise BackupDoesNotFit(f"it lacks the table {min(missing)}.")


def _objects(database: sqlite3.Connection, schema: str) -> dict[tuple[str, str], str]:
    """Tables, indexes, triggers and views, but not those that SQLite makes for itself."""
    rows = database.execute(
        f"SELECT type, name, sql FROM {schema}.sqlite_master "  # noqa: S608 - a constant
        "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    )
    return {(kind, name): sql for kind, name, sql in rows}


def _plain(sql: str) -> str:
    return " ".join(sql.split())


def _tables(database: sqlite3.Connection) -> list[str]:
    names = sorted(name for kind, name in _objects(database, "main") if kind == "table")
    return [name for name in names if name not in TABLES_NOT_RESTORED]


def _copy_table(database: sqlite3.Connection, table: str) -> None:
    columns = _columns(database, "main", table)
    if columns != _columns(database, "backup", table):
        raise BackupDoesNotFit(f"its table {table} has other columns than ours.")
    names = ", ".join(f'"{name}"' for name in sorted(columns))
    database.execute(f'DELETE FROM main."{table}"')  # noqa: S608 - what a migration wrote
    try:
        database.execute(
            f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM backup."{table}"'  # noqa: S608
        )
    except sqlite3.IntegrityError as error:
        raise BackupDoesNotFit(f"a row of its table {table} breaks a rule: {error}.") from None


def _columns(database: sqlite3.Connection, schema: str, table: str) -> set[str]:
    """A computed column has a number above 0 at the end: it holds no data."""
    rows = database.execute(f'PRAGMA {schema}.table_xinfo("{table}")')
    return {f"{name} (computed)" if hidden else name for _, name, *_, hidden in rows}
