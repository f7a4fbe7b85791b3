"""The cache in files that every list page writes to."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import time_machine

from estuary_admin.storage.file_cache import FileCache


def cache_in(folder: Path, most: int = 100) -> FileCache:
    return FileCache(str(folder), {"OPTIONS": {"MAX_ENTRIES": most}})


def test_a_value_is_found_until_it_expires(tmp_path: Path) -> None:
    with time_machine.travel("2026-11-24T18:00:00Z", tick=False) as clock:
        cache = cache_in(tmp_path)
        cache.set("list", b"packed", 60)
        assert cache_in(tmp_path).get("list") == b"packed"

        clock.shift(61)
        assert cache.get("list") is None


def test_only_the_console_can_read_the_files(tmp_path: Path) -> None:
    cache_in(tmp_path / "lists").set("list", b"packed", 60)

    [file] = (tmp_path / "lists").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_the_folder_does_not_grow_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileCache, "WRITES_PER_CULL", 1)
    cache = cache_in(tmp_path, most=3)

    for number in range(10):
        cache.set(f"list-{number}", b"packed", 60)

    assert len(list(tmp_path.iterdir())) <= 4


def test_a_half_written_value_is_a_cache_miss(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.set("list", b"packed" * 1000, 60)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()

    for size in (0, 5, 12, 100, len(whole) - 1):
        file.write_bytes(whole[:size])
        assert cache.get("list") is None
    file.write_bytes(whole[:50] + b"?" + whole[51:])
    assert cache.get("list") is None
    file.write_bytes(whole)
    assert cache.get("list") == b"packed" * 1000


def test_a_mixture_of_two_similar_values_is_a_cache_miss(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.set("list", b"robot 132", 60)
    [file] = tmp_path.iterdir()

    file.write_bytes(file.read_bytes().replace(b"132", b"213"))  # sums of bytes stay the same

    assert cache.get("list") is None


def test_a_shorter_value_replaces_a_longer_one(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.set("list", b"packed" * 1000, 60)
    cache.set("list", b"short", 60)

    assert cache.get("list") == b"short"


def test_concurrent_readers_see_whole_values_or_none(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    lists = [bytes([number]) * (1 + 50_000 * number) for number in range(1, 6)]

    def write(number: int) -> None:
        for _ in range(50):
            cache.set("list", lists[number], 60)

    def read(_: int) -> set[bytes | None]:
        return {cache.get("list") for _ in range(100)}

    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, number) for number in range(5)]
        seen = set().union(*pool.map(read, range(3)))
        for each in writing:
            each.result()

    assert seen <= {None, *lists}
    cache.set("list", b"last", 60)
    assert cache.get("list") == b"last"


def test_a_full_disk_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "writev", lambda *_: 7)
    cache = cache_in(tmp_path)

    with pytest.raises(OSError, match="No space left"):
        cache.set("list", b"packed", 60)
    assert cache.get("list") is None


def test_a_touched_value_lasts_longer(tmp_path: Path) -> None:
    with time_machine.travel("2026-11-24T18:00:00Z", tick=False) as clock:
        cache = cache_in(tmp_path)
        cache.set("list", b"packed", 60)
        assert cache.touch("list", 120)
        assert not cache.touch("another", 120)

        clock.shift(61)
        assert cache.get("list") == b"packed"
        assert cache.has_key("list")
        clock.shift(60)
        assert not cache.has_key("list")


def test_a_value_without_a_timeout_stays(tmp_path: Path) -> None:
    with time_machine.travel("2026-11-24T18:00:00Z", tick=False) as clock:
        cache = cache_in(tmp_path)
        cache.set("list", b"packed", None)

        clock.shift(10**9)
        assert cache.get("list") == b"packed"


def test_a_clock_set_back_by_a_day_makes_no_list_live_longer(tmp_path: Path) -> None:
    with time_machine.travel("2026-11-24T18:00:00Z", tick=False) as clock:
        cache = cache_in(tmp_path)
        cache.set("list", b"packed", 60)

        clock.shift(-26 * 3600)
        assert cache.get("list") is None
        assert not cache.has_key("list")
        cache.prune()
        assert list(tmp_path.iterdir()) == []
