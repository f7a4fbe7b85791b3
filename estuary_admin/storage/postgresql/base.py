"""Django's PostgreSQL backend with a connection pool that recovers at once after an outage.

The pool of psycopg_pool connects in background threads, which wait longer after each failure: after
an outage of 76 s pages failed for another 42 s. Here the thread that needs a connection makes it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

MAX_IDLE_SECONDS = 600


class ConnectionPool:
    """At most `max_size` connections; a connection that died is replaced when it is asked for."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        max_size: int,
        timeout: float,
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._is_open = False
        self._free_slots = threading.BoundedSemaphore(max_size)
        self._idle: deque[tuple[psycopg.Connection[Any], float]] = deque()  # the newest at the end

    def open(self) -> None:
        self._is_open = True

    def getconn(self) -> psycopg.Connection[Any]:
        if not self._free_slots.acquire(timeout=self._timeout):
            raise psycopg.OperationalError("all connections of the pool are in use")
        try:
            connection = self._live_idle_connection() or self._connect()
        except BaseException:
            self._free_slots.release()
            raise
        connection._pool = self  # noqa: SLF001 - read by Django
        return connection

    def putconn(self, connection: psycopg.Connection[Any]) -> None:
        connection._pool = None  # noqa: SLF001
        if self._is_open and _is_reusable(connection):
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()
        self._free_slots.release()
        self._close_idle(time.monotonic() - MAX_IDLE_SECONDS)

    def close(self) -> None:
        self._is_open = False
        self._close_idle(float("inf"))

    def _live_idle_connection(self) -> psycopg.Connection[Any] | None:
        while True:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return None
            try:
                connection.execute("")
            except psycopg.Error:
                connection.close()
            else:
                return connection

    def _close_idle(self, returned_before: float) -> None:
        while True:
            try:
                connection, returned_at = self._idle.popleft()
            except IndexError:
                return
            if returned_at > returned_before:
                self._idle.appendleft((connection, returned_at))
                return
            connection.close()


def _is_reusable(connection: psycopg.Connection[Any]) -> bool:
    if connection.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
        try:
            connection.rollback()
        except psycopg.Error:
            return False
    if connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    connection.autocommit = True
    return True


class DatabaseWrapper(base.DatabaseWrapper):
    _connection_pools: dict[str, ConnectionPool] = {}

    @property
    def pool(self) -> ConnectionPool | None:
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        pools = self._connection_pools  # shared by all threads
        if self.alias not in pools:
            pools.setdefault(self.alias, ConnectionPool(self._connect, **options))
        return pools[self.alias]

    def _connect(self) -> psycopg.Connection[Any]:
        parameters = self.get_connection_params() | {"autocommit": True}  # Django sets it later
        connection = psycopg.connect(**parameters)
        self._configure_connection(connection)  # type: ignore[attr-defined] # the stubs lack it
        return connection
