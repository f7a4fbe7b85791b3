"""The cache in files that every list page writes to."""

from __future__ import annotations

from pathlib import Path

import pytest
import time_machine

from estuary_admin.caches import QuickFileCache


def cache_in(folder: Path, most: int = 100) -> QuickFileCache:
    return QuickFileCache(str(folder), {"OPTIONS": {"MAX_ENTRIES": most}})


def test_what_was_kept_is_found_until_its_time_is_over(tmp_path: Path) -> None:
    with time_machine.travel("2026-11-24T18:00:00Z", tick=False) as clock:
        cache = cache_in(tmp_path)
        cache.set("list", b"packed", 60)
        assert cache_in(tmp_path).get("list") == b"packed"

        clock.shift(61)
        assert cache.get("list") is None


def test_files_are_for_us_alone(tmp_path: Path) -> None:
    cache_in(tmp_path / "lists").set("list", b"packed", 60)

    [file] = (tmp_path / "lists").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_the_folder_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuickFileCache, "CULLED_ONCE_IN", 1)
    cache = cache_in(tmp_path, most=3)

    for number in range(10):
        cache.set(f"list-{number}", b"packed", 60)

    assert len(list(tmp_path.iterdir())) <= 4
