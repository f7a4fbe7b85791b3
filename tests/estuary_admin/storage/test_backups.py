"""`backup` and `restore` as an operator calls them, on databases of their own."""

from __future__ import annotations

import base64
import os
import resource
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.db import connection

from estuary_admin.storage import backups
from estuary_admin.storage.backups import (
    BackupRefused,
    back_up,
    check_backup,
    delete_old_backups,
    restore,
)
from tests.support.console import ROOT
from tests.support.processes import skip_when_fast, start_server, stop_server

pytestmark = pytest.mark.timeout(600)  # each command is a process
NAME = "estuary-admin.sqlite3"


class Installation:
    """A data directory, and `manage.py` for it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.database = data_dir / NAME
        self.environment = {
            name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
        } | {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "DATA_DIR": str(data_dir),
        }

    def manage(
        self, *arguments: str | Path, limit: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *arguments],
            cwd=self.data_dir,
            env=self.environment if limit is None else self.without_coverage(),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=limit,
        )

    def without_coverage(self) -> dict[str, str]:
        """Coverage writes a file of its own, which a limit on file sizes would meet as well."""
        environment = self.environment.items()
        return {name: value for name, value in environment if not name.startswith("COVERAGE")}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    skip_when_fast()
    made = Installation(tmp_path_factory.mktemp("template"))
    for command in (["migrate", "--verbosity=0"], ["createmember", "alice", "--password-stdin"]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=made.environment,
            input="correct horse battery\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert made.manage("backup", "copy.sqlite3").returncode == 0
    return made


@pytest.fixture
def installation(template: Installation, tmp_path: Path) -> Installation:
    made = Installation(tmp_path / "data")
    shutil.copytree(template.data_dir, made.data_dir)
    return made


def changed(database: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(database)) as opened:
        for statement in statements:
            opened.executescript(statement)
        opened.commit()
    return database


def members(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [name for (name,) in opened.execute("SELECT username FROM auth_user ORDER BY id")]


def test_a_folder_that_does_not_exist_is_made_and_the_copy_is_dated(
    installation: Installation,
) -> None:
    done = installation.manage("backup", "copies/here/")

    assert done.returncode == 0, done.stderr
    [copy] = (installation.data_dir / "copies/here").iterdir()
    assert copy.name.startswith(f"estuary-admin-{datetime.now(UTC):%Y}")
    assert copy.name.endswith(".sqlite3")
    assert members(copy) == ["alice"]
    assert copy.stat().st_mode & 0o077 == copy.parent.stat().st_mode & 0o077 == 0


def test_a_folder_without_its_slash_never_becomes_a_file(installation: Installation) -> None:
    refused = installation.manage("backup", "copies")

    assert refused.returncode == 1
    assert "copies is not a folder. Write copies/ to make it one" in refused.stderr
    assert not (installation.data_dir / "copies").exists()

    (installation.data_dir / "copies").mkdir()
    assert installation.manage("backup", "copies").returncode == 0
    assert len(list((installation.data_dir / "copies").iterdir())) == 1


@pytest.mark.parametrize("target", ["photo.sqlite3", "photo.sqlite3/", "/proc/nowhere/"])
def test_a_target_that_cannot_be_written_is_a_sentence(
    installation: Installation, target: str
) -> None:
    (installation.data_dir / "photo.sqlite3").write_bytes(b"mine")

    refused = installation.manage("backup", target)

    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: ")
    assert "Traceback" not in refused.stderr
    assert (installation.data_dir / "photo.sqlite3").read_bytes() == b"mine"


def test_a_full_disk_is_a_sentence_and_leaves_no_half_of_a_copy(installation: Installation) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    refused = installation.manage("backup", "copies/", limit=limit)

    assert refused.returncode == 1
    assert "could not be written" in refused.stderr
    assert "MiB free" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list((installation.data_dir / "copies").iterdir()) == []
    assert installation.manage("backup", "copies/").returncode == 0


def test_old_copies_go_and_other_files_stay(installation: Installation) -> None:
    folder = installation.data_dir / "copies"
    folder.mkdir()
    names = ["estuary-admin-20200101-000000.sqlite3", "estuary-admin-new.sqlite3", "mine.sqlite3"]
    for name in names:
        (folder / name).touch()
    now = datetime.now(UTC).timestamp()
    old = now - timedelta(days=15).total_seconds()
    for name, changed_at in zip(names, (old, now, old), strict=True):
        os.utime(folder / name, (changed_at, changed_at))

    done = installation.manage("backup", "copies/", "--keep-days", "14")

    assert done.returncode == 0, done.stderr
    left = {path.name for path in folder.iterdir()}
    assert names[0] not in left
    assert {names[1], names[2]} < left
    assert len(left) == 3


@pytest.mark.parametrize("days", ["0", "-1"])
def test_the_copy_that_was_just_made_is_never_deleted(
    installation: Installation, days: str
) -> None:
    refused = installation.manage("backup", "copies/", "--keep-days", days)

    assert refused.returncode == 1
    assert "--keep-days must be at least 1" in refused.stderr
    assert not (installation.data_dir / "copies").exists()


def test_a_restored_database_has_the_rows_and_no_sessions(installation: Installation) -> None:
    changed(
        installation.database,
        "INSERT INTO django_session VALUES ('a', 'b', '2030-01-01')",
        "INSERT INTO security_membersession"
        " (member_id, session_key, device, address, signed_in_at, last_seen_at)"
        " SELECT id, 'a', '', '', '2026-01-01', '2026-01-01' FROM auth_user",
        "INSERT INTO security_passwordlink (member_id, secret_hash, made_at, expires_at)"
        " SELECT id, 'a', '2026-01-01', '2030-01-01' FROM auth_user",
        "INSERT INTO auth_group (name) VALUES ('gone')",
        "DELETE FROM auth_group WHERE name = 'gone'",
    )
    assert installation.manage("backup", "later.sqlite3").returncode == 0
    changed(installation.database, "UPDATE auth_user SET username = 'mallory'")

    done = installation.manage("restore", "later.sqlite3")

    assert done.returncode == 0, done.stderr
    assert "everybody has to sign in again" in done.stdout
    assert members(installation.database) == ["alice"]
    with closing(sqlite3.connect(installation.database)) as database:
        for table in ("django_session", "security_membersession", "security_passwordlink"):
            assert database.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)  # noqa: S608
        [highest] = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'auth_group'")
        [used] = database.execute("SELECT COALESCE(MAX(id), 0) FROM auth_group")
        assert highest[0] == used[0] + 1  # the number of a deleted row is not given again
    [before] = installation.data_dir.glob(f"{NAME}.before-*")
    assert members(before) == ["mallory"]
    with closing(sqlite3.connect(installation.database)) as database:
        assert database.execute("SELECT COUNT(*) FROM cache").fetchone() == (0,)
    assert installation.manage("migrate", "--check").returncode == 0
    assert installation.manage("migrate", "--verbosity=0").returncode == 0
    assert installation.manage("restore", before).returncode == 0


TAMPERED = {
    "trigger": (
        "CREATE TRIGGER spy AFTER INSERT ON auth_user BEGIN DELETE FROM keys_auditentry; END",
        "it has a foreign trigger, spy",
    ),
    "trigger with the name of an index": (
        "CREATE TRIGGER keys_auditentry_at AFTER INSERT ON auth_user BEGIN SELECT 1; END",
        "it has a foreign trigger",
    ),
    "view": ("CREATE VIEW spy AS SELECT * FROM auth_user", "it has a foreign view, spy"),
    "table": ("CREATE TABLE spy (n int)", "it has a foreign table, spy"),
    "virtual table": (
        "CREATE VIRTUAL TABLE spy USING fts5(words)",
        "it has a foreign table, spy",
    ),
    "index": (
        "CREATE INDEX spy ON auth_user (abs(id))",
        "it has a foreign index, spy",
    ),
    "column": (
        "ALTER TABLE auth_user ADD COLUMN spy text",
        "its table auth_user has other columns than ours",
    ),
    "computed column": (
        "ALTER TABLE auth_user ADD COLUMN spy text AS (upper(username))",
        "its table auth_user has other columns than ours",
    ),
    "missing table": ("DROP TABLE keys_auditentry", "it lacks the table keys_auditentry"),
    "renamed table": (
        "ALTER TABLE keys_preferences RENAME TO keys_renamed",
        "it has a foreign table, keys_renamed",
    ),
    "view in the place of a table": (
        "DROP TABLE keys_preferences; CREATE VIEW keys_preferences AS SELECT 1 AS id",
        "it has a foreign view, keys_preferences",
    ),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_what_is_not_ours_is_refused_and_nothing_is_touched(
    installation: Installation, kind: str
) -> None:
    statement, sentence = TAMPERED[kind]
    changed(installation.data_dir / "copy.sqlite3", statement)
    before = installation.database.read_bytes()

    refused = installation.manage("restore", "copy.sqlite3")

    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr
    assert installation.database.read_bytes() == before


def test_a_restore_is_refused_while_a_worker_runs(installation: Installation) -> None:
    log = installation.data_dir / "worker.log"
    worker = start_server(
        [sys.executable, ROOT / "manage.py", "worker"],
        log,
        lambda: "worker_started" in log.read_text(),
        environment=installation.environment,
    )
    try:
        refused = installation.manage("restore", "copy.sqlite3")
    finally:
        stop_server(worker)

    assert (refused.returncode, "Stop it first" in refused.stderr) == (1, True)
    assert installation.manage("restore", "copy.sqlite3").returncode == 0


def test_an_index_that_was_changed_is_refused(installation: Installation) -> None:
    copy = installation.data_dir / "copy.sqlite3"
    with closing(sqlite3.connect(copy)) as database:
        [name, table] = database.execute(
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name = 'keys_auditentry' LIMIT 1"
        ).fetchone()
    changed(copy, f"DROP INDEX {name}", f"CREATE INDEX {name} ON {table} (abs(id))")

    refused = installation.manage("restore", "copy.sqlite3")

    assert f"its index {name} is not the one that we make" in refused.stderr


def test_rules_that_were_added_to_a_table_are_not_taken_over(installation: Installation) -> None:
    changed(
        installation.data_dir / "copy.sqlite3",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = replace(sql, '\"username\" varchar(150) NOT NULL',"
        " '\"username\" varchar(150) NOT NULL CHECK (length(username) < 6)')"
        " WHERE name = 'auth_user'",
    )

    done = installation.manage("restore", "copy.sqlite3")

    assert done.returncode == 0, done.stderr
    changed(installation.database, "UPDATE auth_user SET username = 'a longer name'")


def test_a_copy_of_an_older_version_gets_its_tables_and_then_the_new_ones(
    installation: Installation,
) -> None:
    assert installation.manage("migrate", "keys", "0004", "--verbosity=0").returncode == 0
    assert installation.manage("backup", "older.sqlite3").returncode == 0
    assert installation.manage("migrate", "--verbosity=0").returncode == 0

    done = installation.manage("restore", "older.sqlite3")

    assert done.returncode == 0, done.stderr
    assert installation.manage("migrate", "--check").returncode == 1
    assert installation.manage("migrate", "--verbosity=0").returncode == 0
    assert members(installation.database) == ["alice"]


def test_a_copy_of_a_newer_version_is_refused(installation: Installation) -> None:
    changed(
        installation.data_dir / "copy.sqlite3",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('sso', '0099_later', '2030')",
    )

    refused = installation.manage("restore", "copy.sqlite3")

    assert "was made by a newer version, with 0099_later" in refused.stderr


def test_a_backup_by_pg_dump_can_be_noted(installation: Installation) -> None:
    assert installation.manage("backup", "--record").returncode == 0
    assert (installation.data_dir / "last-backup.json").exists()
    assert "Name a folder" in installation.manage("backup").stderr
    assert "makes no copy" in installation.manage("backup", "--record", "copies/").stderr


def test_a_database_without_tables_is_named_itself(tmp_path: Path) -> None:
    skip_when_fast()

    refused = Installation(tmp_path).manage("backup", "copies/")

    assert refused.returncode == 1
    assert "has no tables yet. Run `manage.py migrate` first." in refused.stderr
    assert not (tmp_path / "copies").exists()


def test_a_machine_without_a_database_gets_one_and_is_told_of_no_old_one(
    installation: Installation,
) -> None:
    installation.database.unlink()

    done = installation.manage("restore", "copy.sqlite3")

    assert done.returncode == 0, done.stderr
    assert "old database" not in done.stdout
    assert members(installation.database) == ["alice"]
    assert list(installation.data_dir.glob(f"{NAME}.before-*")) == []


def test_a_restore_that_cannot_write_is_a_sentence_and_touches_nothing(
    installation: Installation,
) -> None:
    in_the_way = installation.data_dir / f"{NAME}.restoring"
    in_the_way.mkdir()
    before = installation.database.read_bytes()

    refused = installation.manage("restore", "copy.sqlite3")

    assert refused.returncode == 1
    assert f"{in_the_way} could not be written" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert installation.database.read_bytes() == before


def test_a_row_that_breaks_a_rule_is_named_by_its_table(installation: Installation) -> None:
    copy = changed(
        installation.data_dir / "copy.sqlite3",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = replace(sql, '\"username\" varchar(150) NOT NULL',"
        " '\"username\" varchar(150)') WHERE name = 'auth_user'",
    )
    changed(copy, "UPDATE auth_user SET username = NULL")
    before = installation.database.read_bytes()

    refused = installation.manage("restore", "copy.sqlite3")

    assert refused.returncode == 1
    assert "a row of its table auth_user breaks a rule: NOT NULL" in refused.stderr
    assert installation.database.read_bytes() == before


def test_a_file_that_is_not_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="nothing is not a file"):
        check_backup(tmp_path / "nothing")


def test_a_database_of_another_program_is_no_backup(tmp_path: Path) -> None:
    found = changed(
        tmp_path / "other.sqlite3",
        "CREATE TABLE django_migrations (app text, name text)",
        "INSERT INTO django_migrations VALUES ('blog', '0001_initial')",
    )

    with pytest.raises(BackupRefused, match="is not a backup of Estuary Admin"):
        check_backup(found)


def test_a_damaged_backup_is_named_as_such(tmp_path: Path) -> None:
    damaged = changed(
        tmp_path / "damaged.sqlite3",
        "CREATE TABLE django_migrations (app text, name text)",
        "INSERT INTO django_migrations VALUES ('keys', '0001_initial')",
        "CREATE TABLE t (x int)",
        "INSERT INTO t VALUES (NULL)",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t (x int NOT NULL)' WHERE name = 't'",
    )

    with pytest.raises(BackupRefused, match=r"is damaged: NULL value in t\.x"):
        check_backup(damaged)


def test_only_dated_copies_are_deleted_when_they_are_old(tmp_path: Path) -> None:
    dated = tmp_path / "estuary-admin-20261101-030000.sqlite3"
    others = [tmp_path / f"estuary-admin-{name}.sqlite3" for name in ("prod", "before-2.0")]
    for path in (dated, *others):
        path.touch()
        os.utime(path, (0, 0))

    deleted = delete_old_backups(tmp_path / "estuary-admin-20261129-030000.sqlite3", 14)

    assert deleted == [dated]
    assert all(path.exists() for path in others)


def test_a_damaged_database_is_replaced_and_nothing_of_it_comes_back(
    installation: Installation,
) -> None:
    """A killed server leaves a -wal, which SQLite would read into the restored file."""
    assert installation.manage("backup", "good.sqlite3").returncode == 0
    wal = Path(f"{installation.database}-wal")
    with closing(sqlite3.connect(installation.database)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("UPDATE auth_user SET username = 'mallory'")
        database.commit()
        left = wal.read_bytes()
    installation.database.write_bytes(b"damaged" * 1000)
    wal.write_bytes(left)

    done = installation.manage("restore", "good.sqlite3")

    assert done.returncode == 0, done.stderr
    assert members(installation.database) == ["alice"]
    assert [path.read_bytes() for path in installation.data_dir.glob("*before-*-wal")] == [left]
    wal.write_bytes(left)
    installation.database.unlink()
    assert installation.manage("restore", "good.sqlite3").returncode == 0
    assert members(installation.database) == ["alice"]
    assert not wal.exists()


def test_a_copy_that_vanishes_while_old_ones_are_deleted_stops_nothing(tmp_path: Path) -> None:
    vanished = tmp_path / "estuary-admin-20261101-030000.sqlite3"
    vanished.symlink_to(tmp_path / "nowhere")
    old = tmp_path / "estuary-admin-20261102-030000.sqlite3"
    old.touch()
    os.utime(old, (0, 0))

    assert delete_old_backups(tmp_path / "estuary-admin-20261129-030000.sqlite3", 14) == [old]
    assert not old.exists()


def test_a_new_copy_stays_on_a_file_server_whose_clock_is_wrong(tmp_path: Path) -> None:
    made = tmp_path / "estuary-admin-20261101-030000.sqlite3"
    made.touch()
    os.utime(made, (0, 0))

    assert delete_old_backups(made, 14) == []
    assert made.exists()


@pytest.mark.django_db
def test_a_postgresql_database_is_left_to_its_own_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "vendor", "postgresql")

    with pytest.raises(BackupRefused, match="Use pg_dump"):
        back_up(f"{tmp_path}/copies/")
    with pytest.raises(BackupRefused, match="Use pg_restore"):
        restore(tmp_path / "copy.sqlite3")

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def on_sqlite(settings: Any, tmp_path: Path, db: None) -> Path:
    """The test's own database can be backed up."""
    if connection.vendor != "sqlite":
        pytest.skip("an SQLite database is backed up")
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_a_copy_into_a_folder_that_is_not_there_is_a_sentence(on_sqlite: Path) -> None:
    with pytest.raises(BackupRefused, match=r"cannot be written: No such file or directory\."):
        back_up(str(on_sqlite / "nowhere" / "copy.sqlite3"))


def test_a_copy_that_fails_half_way_is_deleted_and_told_with_the_room_it_needs(
    on_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backups, "check_backup", full)

    with pytest.raises(
        BackupRefused, match=r"disk is full\. The database takes \d+ MiB; there are"
    ):
        back_up(str(on_sqlite / "copy.sqlite3"))

    assert list(on_sqlite.iterdir()) == []
