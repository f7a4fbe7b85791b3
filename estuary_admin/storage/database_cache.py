"""Django's cache table (named `cache`), with values that are safe to read."""

from __future__ import annotations

import base64
import random
import time
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.db import connection, models
from django.utils import timezone

from estuary_admin.storage.cache_values import is_from_the_future, pack, unpack

SELECT = "SELECT value, expires FROM cache WHERE cache_key = %s"
UPSERT = """INSERT INTO cache (cache_key, value, expires) VALUES (%s, %s, %s)
    ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires"""
INSERT = """INSERT INTO cache (cache_key, value, expires) VALUES (%s, %s, %s)
    ON CONFLICT (cache_key) DO NOTHING"""
COMPARE_AND_SWAP = """UPDATE cache SET value = %s, expires = %s
    WHERE cache_key = %s AND value = %s"""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class SafeDatabaseCache(DatabaseCache):
    """A write that fails raises: Django's cache reports it as "somebody else has the lock"."""

    WRITES_PER_CULL = 100

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        for text, expires in _rows(SELECT, [self.make_and_validate_key(key, version=version)]):
            if found := _live_value(text, expires):
                return found[0]
        return default

    get_many = BaseCache.get_many

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        self._cull_sometimes()
        name = self.make_and_validate_key(key, version=version)
        _execute(UPSERT, [name, *self._columns(value, timeout)])

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        self._cull_sometimes()
        name = self.make_and_validate_key(key, version=version)
        columns = self._columns(value, timeout)
        if _execute(INSERT, [name, *columns]):
            return True
        rows = _rows(SELECT, [name])
        if not rows or _live_value(*rows[0]):
            return False
        # Another process may replace the expired row at the same time.
        return _execute(COMPARE_AND_SWAP, [*columns, name, rows[0][0]]) == 1

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        value = self.get(key, version=version)
        if value is not None:
            self.set(key, value, timeout, version)
        return value is not None

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self.get(key, version=version) is not None

    def _columns(self, value: Any, timeout: Any) -> list[Any]:
        ends_at = self.get_backend_timeout(timeout)
        expires = NEVER if ends_at is None else datetime.fromtimestamp(ends_at, UTC)
        packed = base64.b64encode(pack([time.time(), value])).decode()
        return [packed, connection.ops.adapt_datetimefield_value(expires)]

    def _cull_sometimes(self) -> None:
        if random.randrange(self.WRITES_PER_CULL):  # noqa: S311 - not a secret
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM cache")
            [count] = cursor.fetchone()
            if count > self._max_entries:
                self._cull(connection.alias, cursor, timezone.now(), count)  # type: ignore[attr-defined]


def _live_value(text: str, expires: Any) -> tuple[Any] | None:
    """The value in a tuple; None if it has expired or is not one of ours."""
    if _as_datetime(expires) < timezone.now():
        return None
    try:
        written_at, value = unpack(base64.b64decode(text, validate=True))
        return None if is_from_the_future(written_at) else (value,)
    except (ValueError, TypeError):
        return None


def _as_datetime(expires: Any) -> datetime:
    """Let Django convert: SQLite returns datetimes as text."""
    column = models.Expression(output_field=models.DateTimeField())
    for convert in connection.ops.get_db_converters(column) + column.get_db_converters(connection):
        expires = convert(expires, column, connection)
    converted: datetime = expires
    return converted


def _execute(statement: str, parameters: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def _rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
