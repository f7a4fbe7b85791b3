"""A Redis that a test may stop, and the app set up for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches

from estuary_admin.storage import cached_sessions, databases, redis_cache
from estuary_admin.storage.cached_sessions import Distrust
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
    monkeypatch.setattr(cached_sessions, "distrust", Distrust())
    settings.CACHES = databases.caches(settings.DATA_DIR)
    settings.SESSION_ENGINE = databases.session_engine(settings.CACHES)
    if not server.is_running:
        server.start()
    caches["sessions"].clear()
    yield server
    if not server.is_running:
        server.start()
