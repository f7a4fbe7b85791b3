"""The connection pool of the PostgreSQL backend: limits, and recovery after an outage."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import time_machine
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.utils import timezone
from psycopg.conninfo import conninfo_to_dict

from estuary_admin.observability import doctor_checks
from estuary_admin.storage.postgresql.base import ConnectionPool
from tests.backing import Backing, PostgreSQL, need, running


@pytest.fixture(scope="module")
def server() -> Iterator[Backing]:
    need(PostgreSQL.PACKAGE)
    with running(PostgreSQL) as database:
        yield database


@pytest.fixture
def pool(server: Backing) -> Iterator[ConnectionPool]:
    made = ConnectionPool(
        lambda: psycopg.connect(server.url, autocommit=True), max_size=3, timeout=0.05
    )
    made.open()
    yield made
    made.close()


def answer(pool: ConnectionPool) -> int:
    connection = pool.getconn()
    try:
        row = connection.execute("SELECT 1").fetchone()
    finally:
        pool.putconn(connection)
    assert row
    return int(row[0])


def use_all(pool: ConnectionPool) -> set[int]:
    """Borrow every connection at once, give them back, and return their process ids."""
    borrowed = [pool.getconn() for _ in range(3)]
    for connection in borrowed:
        pool.putconn(connection)
    return {connection.info.backend_pid for connection in borrowed}


def test_a_connection_is_used_again(pool: ConnectionPool) -> None:
    assert use_all(pool) == use_all(pool)


def test_a_thread_waits_for_a_free_connection_and_then_gives_up(pool: ConnectionPool) -> None:
    borrowed = [pool.getconn() for _ in range(3)]

    with pytest.raises(psycopg.OperationalError, match="all connections of the pool are in use"):
        pool.getconn()

    for connection in borrowed:
        pool.putconn(connection)
    assert answer(pool) == 1


def test_threads_share_the_limit(pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_timeout", 20)
    most, current, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal most, current
        connection = pool.getconn()
        with lock:
            current += 1
            most = max(most, current)
        connection.execute("SELECT pg_sleep(0.01)")
        with lock:
            current -= 1
        pool.putconn(connection)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(60)))

    assert most == 3


def test_the_first_query_after_a_restart_is_answered(pool: ConnectionPool, server: Backing) -> None:
    use_all(pool)
    server.stop()
    server.start()

    assert [answer(pool) for _ in range(4)] == [1, 1, 1, 1]


def test_an_outage_fails_at_once_and_takes_no_place_in_the_pool(
    pool: ConnectionPool, server: Backing
) -> None:
    use_all(pool)
    server.stop()
    for _ in range(10):
        with pytest.raises(psycopg.OperationalError, match="refused"):
            pool.getconn()
    server.start()

    assert len(use_all(pool)) == 3


def test_a_connection_that_dies_while_it_is_borrowed_is_not_used_again(
    pool: ConnectionPool, server: Backing
) -> None:
    borrowed = pool.getconn()
    server.stop()
    server.start()
    with pytest.raises(psycopg.OperationalError):
        borrowed.execute("SELECT 1")
    pool.putconn(borrowed)

    assert answer(pool) == 1


def test_an_open_transaction_is_rolled_back(pool: ConnectionPool) -> None:
    borrowed = pool.getconn()
    borrowed.autocommit = False
    borrowed.execute("CREATE TABLE left_open (n int)")
    pool.putconn(borrowed)

    again = pool.getconn()
    assert again is borrowed
    assert again.autocommit
    row = again.execute("SELECT to_regclass('left_open')").fetchone()
    assert row == (None,)
    pool.putconn(again)


def test_a_connection_that_is_idle_for_long_is_closed(
    pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pool.getconn(), pool.getconn()
    pool.putconn(first)
    monkeypatch.setattr("estuary_admin.storage.postgresql.base.MAX_IDLE_SECONDS", -1)

    pool.putconn(second)

    assert (first.closed, second.closed) == (True, True)


def test_a_closed_pool_closes_what_comes_back(pool: ConnectionPool) -> None:
    borrowed = pool.getconn()
    pool.close()

    pool.putconn(borrowed)

    assert borrowed.closed


def test_a_transaction_that_cannot_be_rolled_back_ends_its_connection(
    pool: ConnectionPool, server: Backing
) -> None:
    borrowed = pool.getconn()
    borrowed.autocommit = False
    borrowed.execute("SELECT 1")
    server.stop()
    server.start()

    pool.putconn(borrowed)

    assert borrowed.closed
    assert len(use_all(pool)) == 3


@pytest.fixture
def database(server: Backing, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDatabaseWrapper]:
    """The doctor's connection, with the server's pool of four."""
    found = conninfo_to_dict(server.url)
    settings = {
        "ENGINE": "estuary_admin.storage.postgresql",
        **{name.upper(): found[name] for name in ("user", "host", "port") if name in found},
        "NAME": found["dbname"],
        "OPTIONS": {"pool": {"max_size": 4, "timeout": 5}},
    }
    made = ConnectionHandler({"default": settings})["default"]
    monkeypatch.setattr(type(made), "_connection_pools", {})
    monkeypatch.setattr(doctor_checks, "connection", made)
    yield made
    made.close_pool()  # type: ignore[attr-defined] # of the backend


@pytest.mark.django_db
def test_the_doctor_compares_the_clocks_and_counts_the_connections(
    database: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    answers, migrations, clock, connections = doctor_checks.database()
    assert answers.line == "The database (PostgreSQL) answers."
    assert not migrations.ok  # nothing was migrated there
    assert clock.ok, clock.line
    assert connections.ok
    assert connections.line.startswith("This machine takes up to 8 of PostgreSQL's ")

    monkeypatch.setenv("WEB_CONCURRENCY", "1000")
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        *_, clock, connections = doctor_checks.database()

    assert not clock.ok
    assert "differ by 3" in clock.line  # 3600 s, or 3599
    assert not connections.ok
    assert "up to 4000 of" in connections.line


@pytest.mark.django_db
def test_the_doctor_asks_for_no_room_for_a_database_elsewhere(
    database: BaseDatabaseWrapper, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * 2**20))

    [check] = doctor_checks.data_dir()

    assert check.ok
