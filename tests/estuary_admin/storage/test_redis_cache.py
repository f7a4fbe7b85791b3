"""The cache in Redis, and its substitutes while Redis is away."""

from __future__ import annotations

import contextlib
import logging
import pickle
import socket
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from estuary_admin.storage import databases, redis_cache
from estuary_admin.storage.redis_cache import Guard
from tests.backing import Backing

pytestmark = pytest.mark.django_db


def come_back() -> None:
    """Let the guard try Redis again at once."""
    redis_cache.guard._retry_at = 0.0


def test_it_works_like_another_django_cache(redis: Backing) -> None:
    cache = caches["default"]
    cache.set("number", 7)
    cache.set("negative", -7)
    cache.set_many({"history": [1.5, 2.5], "nothing": None})

    assert cache.get_many(["number", "history"]) == {"number": 7, "history": [1.5, 2.5]}
    assert cache.get("negative") == -7
    assert "nothing" in cache
    assert cache.incr("number") == 8
    assert cache.add("number", 1) is False
    assert cache.touch("number", 60)
    assert cache.delete("number")
    cache.delete_many(["negative"])
    assert cache.get("negative", "gone") == "gone"


def test_the_database_caches_while_redis_is_away(redis: Backing) -> None:
    redis.stop()
    cache = caches["default"]

    assert cache.add("attempts", [1]) is True
    assert cache.add("attempts", [1]) is False
    assert cache.get("attempts") == [1]
    assert caches["database"].get("attempts") == [1]


def test_key_lists_go_to_files_while_redis_is_away(redis: Backing) -> None:
    redis.stop()
    caches["key_lists"].set("list", b"packed")

    assert caches["key_lists"].get("list") == b"packed"
    assert caches["files"].get("list") == b"packed"
    assert caches["database"].get("list") is None


def test_readyz_says_degraded_and_the_console_serves(redis: Backing) -> None:
    assert Client().get("/readyz").json()["cache"] == "ok"

    redis.stop()
    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json()["cache"] == "degraded"


def test_redis_is_used_again_when_it_is_back(
    redis: Backing, caplog: pytest.LogCaptureFixture
) -> None:
    redis.stop()
    caches["default"].set("attempts", [1])
    redis.start()

    assert Client().get("/readyz").json()["cache"] == "degraded"  # left alone for a moment
    come_back()
    assert Client().get("/readyz").json()["cache"] == "ok"
    assert [one.getMessage() for one in caplog.records if one.name == "estuary_admin.cache"] == [
        "cache_degraded",
        "cache_recovered",
    ]


def test_an_outage_is_logged_once_a_minute(
    redis: Backing, caplog: pytest.LogCaptureFixture
) -> None:
    redis.stop()
    for _ in range(3):
        come_back()
        caches["default"].get("attempts")

    [line] = [one for one in caplog.records if one.name == "estuary_admin.cache"]
    assert (line.getMessage(), line.levelno) == ("cache_degraded", logging.ERROR)
    assert vars(line)["reason"] == "ConnectionError"


def test_only_one_call_waits_for_a_silent_redis(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cache, "guard", Guard())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}")
        settings.CACHES = databases.caches(settings.DATA_DIR)
        started = time.monotonic()

        for number in range(50):
            caches["default"].set(f"attempts-{number}", [1])

        assert 0.4 < time.monotonic() - started < 10  # and not fifty times that
        assert caches["default"].get("attempts-49") == [1]


class SlowRelay:
    """A relay to Redis that delays each answer, and counts commands."""

    def __init__(self, port: int) -> None:
        self._redis = port
        self.commands = 0
        self.pause = 0.0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        redis = socket.create_connection(("127.0.0.1", self._redis))
        with client, redis, contextlib.suppress(OSError):
            while asked := client.recv(65536):
                self.commands += 1
                redis.sendall(asked)
                answer = redis.recv(65536)
                time.sleep(self.pause)
                client.sendall(answer)


def test_a_slow_redis_is_left_alone_like_one_that_is_away(
    redis: Backing, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with SlowRelay(redis.port) as relay:
        monkeypatch.setenv("REDIS_URL", relay.url)
        settings.CACHES = databases.caches(settings.DATA_DIR)
        cache = caches["default"]
        cache.set("attempts", [1])
        relay.pause = 0.2
        before = relay.commands

        for number in range(20):
            cache.set(f"attempts-{number}", [number])

        assert relay.commands - before <= 4
        assert cache.get("attempts-19") == [19]
        [line] = [one for one in caplog.records if one.name == "estuary_admin.cache"]
        assert vars(line)["reason"] == "slow"
        assert Client().get("/readyz").json()["cache"] == "degraded"

        relay.pause = 0.0
        come_back()
        assert Client().get("/readyz").json()["cache"] == "ok"
        cache.close()


def test_a_value_with_a_wrong_signature_is_refused(
    redis: Backing, caplog: pytest.LogCaptureFixture
) -> None:
    client = caches["default"]._cache.get_client(write=True)  # type: ignore[attr-defined]
    name = caches["default"].make_key("attempts")

    for forged in (pickle.dumps([1]), b"x" * 32 + pickle.dumps([1]), b"", b"-"):
        client.set(name, forged)
        assert caches["default"].get("attempts", []) == []

    assert "cache_value_refused" in caplog.text
    assert not redis_cache.guard.is_away  # it is a lie, not an outage


@pytest.mark.parametrize(
    "address", ["redis://cache.example.com:port", "http://cache.example.com", "redis://", "x"]
)
def test_a_wrong_address_is_named_but_not_quoted(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("REDIS_URL", address)

    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must look like"):
        databases.caches(Path())


def test_readyz_says_failed_when_nothing_is_kept(settings: Any) -> None:
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = settings.CACHES | {"default": dummy}

    assert Client().get("/readyz").json()["cache"] == "failed"
