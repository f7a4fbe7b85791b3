"""The cache in a table of the database: the throttles of one machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.db import DatabaseError, connection

from estuary_admin.storage import databases
from estuary_admin.storage.database_cache import SafeDatabaseCache

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def cache(settings: Any) -> SafeDatabaseCache:
    settings.CACHES = settings.CACHES | {"default": databases.DATABASE_CACHE}
    found = caches["default"]
    assert isinstance(found, SafeDatabaseCache)
    return found


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def test_it_works_like_another_django_cache(cache: SafeDatabaseCache) -> None:
    cache.set("number", 7)
    cache.set("number", 8)
    cache.set_many({"history": [1.5, 2.5], "nothing": None})

    assert cache.get_many(["number", "history", "absent"]) == {"number": 8, "history": [1.5, 2.5]}
    assert cache.incr("number") == 9
    assert cache.add("number", 1) is False
    assert cache.add("new", 1) is True
    assert cache.touch("number", 60)
    assert not cache.touch("absent", 60)
    assert cache.has_key("number")
    assert cache.delete("number")
    cache.delete_many(["history"])
    assert cache.get("history", "gone") == "gone"


def test_an_entry_ends_with_its_time(
    cache: SafeDatabaseCache, clock: time_machine.Traveller
) -> None:
    cache.set("attempts", [1], 60)
    cache.set("without-end", 1, None)
    clock.shift(61)

    assert cache.get("attempts") is None
    assert not cache.has_key("attempts")
    assert cache.add("attempts", [2], 60)
    assert cache.get("without-end") == 1


def test_a_clock_set_back_by_a_day_frees_what_it_would_lock_for_a_day(
    cache: SafeDatabaseCache, clock: time_machine.Traveller
) -> None:
    cache.set("attempts", [1], 60)
    clock.shift(timedelta(hours=-26))

    assert cache.get("attempts") is None
    assert cache.add("attempts", [2], 60)
    assert cache.get("attempts") == [2]


def test_a_clock_that_differs_by_a_second_changes_nothing(
    cache: SafeDatabaseCache, clock: time_machine.Traveller
) -> None:
    cache.set("attempts", [1], 60)
    clock.shift(-1)

    assert cache.get("attempts") == [1]
    assert not cache.add("attempts", [2], 60)


def test_the_table_does_not_grow_without_bound(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = databases.DATABASE_CACHE | {"OPTIONS": {"MAX_ENTRIES": 3}}
    settings.CACHES = settings.CACHES | {"default": options}
    monkeypatch.setattr(SafeDatabaseCache, "WRITES_PER_CULL", 1)

    for number in range(10):
        caches["default"].set(f"attempts-{number}", [1], 60)

    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM cache")
        assert cursor.fetchone()[0] <= 5


def test_a_failed_write_is_an_error_and_not_a_lock_that_somebody_else_has(
    cache: SafeDatabaseCache,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cache")

    with pytest.raises(DatabaseError):
        cache.add("lock", 1)


@pytest.mark.django_db(transaction=True)
def test_one_of_many_that_add_at_once_succeeds(cache: SafeDatabaseCache) -> None:
    def add(expired: bool) -> bool:
        try:
            return caches["default"].add("lock", 1, -1 if expired else 60)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, [True] * 8))
        assert list(threads.map(add, [False] * 8)).count(True) == 1
