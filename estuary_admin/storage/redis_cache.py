"""Redis as the cache of all processes, and what happens while it is away.

Nothing that must be right stands in it alone. Throttles go to a table of the database in the
meantime, kept lists to files; sessions are in the database anyway (see `cached_sessions`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient, RedisSerializer
from django.utils.crypto import constant_time_compare, salted_hmac
from redis.exceptions import RedisError

logger = logging.getLogger("estuary_admin.cache")

REST = 5  # seconds in which a Redis that failed is left alone
SILENCE = 60  # seconds between two lines about it


class RedisAway(Exception):
    """Redis gave no answer that can be used."""


class Guard:
    """Stands before Redis: one failure, and this process does without it for a moment."""

    def __init__(self) -> None:
        self.is_away = False
        self._asked_again = 0.0
        self._said = -float(SILENCE)

    def call(self, ask: Callable[..., Any], *args: Any) -> Any:
        now = time.monotonic()
        if self.is_away:
            if now < self._asked_again:
                raise RedisAway
            self._asked_again = now + REST  # the others wait for what this one finds
        try:
            answer = ask(*args)
        except (RedisError, OSError) as error:
            self._note(error)
            raise RedisAway from error
        if self.is_away:
            self.is_away = False
            logger.warning("cache_recovered")
        return answer

    def _note(self, error: Exception) -> None:
        now = time.monotonic()
        self.is_away, self._asked_again = True, now + REST
        if now - self._said >= SILENCE:
            self._said = now
            logger.error("cache_degraded", extra={"reason": type(error).__name__})


#: One for the process: each thread has its own connections, but there is one Redis.
guard = Guard()


class SignedSerializer(RedisSerializer):
    """Values bear a signature by SECRET_KEY, since unpickling what others wrote runs their code."""

    def dumps(self, obj: Any) -> Any:
        packed = super().dumps(obj)
        return packed if isinstance(packed, int) else _signature(packed) + packed

    def loads(self, data: Any) -> Any:
        if data.lstrip(b"-").isdigit():
            return int(data)
        signature, packed = data[:32], data[32:]
        if not constant_time_compare(signature, _signature(packed)):
            logger.error("cache_value_refused")
            raise RedisAway
        return super().loads(packed)


def _signature(packed: bytes) -> bytes:
    return salted_hmac("estuary_admin.storage.redis_cache", packed, algorithm="sha256").digest()


class GuardedClient(RedisCacheClient):
    """Django's client with each of its calls behind the guard."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in CALLS:
            return lambda *args: guard.call(found, *args)
        return found


CALLS = {"add", "get", "set", "touch", "delete", "has_key", "incr", "clear"}
CALLS |= {"get_many", "set_many", "delete_many"}


class GuardedCache(RedisCache):
    """Raises RedisAway while Redis is away; for callers who know what to do then."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = GuardedClient


def _or_by_the_substitute(name: str) -> Any:
    def method(self: SharedCache, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(SharedCache, self), name)(*args, **kwargs)
        except RedisAway:
            return getattr(caches[self.substitute], name)(*args, **kwargs)

    return method


class SharedCache(GuardedCache):
    """Has another cache do the same while Redis is away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self.substitute: str = params["SUBSTITUTE"]


for _name in CALLS:
    setattr(SharedCache, _name, _or_by_the_substitute(_name))


def state() -> str:
    """How the cache is: "ok", "degraded" (others stand in for Redis), or "failed"."""
    caches["default"].set("readyz", "ok", 10)
    if caches["default"].get("readyz") != "ok":
        return "failed"
    return "degraded" if guard.is_away else "ok"
