"""A Redis that a test may stop, and the app set up for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches

from estuary_admin.storage import databases, redis_cache
from estuary_admin.storage.redis_cache import Guard
from tests.backing import Backing, Redis, need, running


@pytest.fixture(scope="session")
def server() -> Iterator[Backing]:
    need(Redis.PACKAGE)
    with running(Redis) as redis:
        yield redis


@pytest.fixture
def redis(server: Backing, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backing]:
    """The app with a Redis, which a test may stop."""
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setattr(redis_cache, "guard", Guard())
    settings.CACHES = databases.caches(settings.DATA_DIR)
    if not server.is_running:
        server.start()
    caches["default"].clear()
    yield server
    if not server.is_running:
        server.start()
