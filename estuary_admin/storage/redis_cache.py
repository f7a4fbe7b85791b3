"""Redis as the cache of all processes, with a substitute while it is away.

Nothing that must be right is in Redis alone. While it is away, throttles use a table of the
database and key lists use files.
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

RETRY_SECONDS = 5  # how long a Redis that failed is left alone
LOG_EVERY_SECONDS = 60


class RedisAway(Exception):
    """Redis gave no usable answer."""


class Guard:
    """Stops calls to Redis for a few seconds after one has failed."""

    def __init__(self) -> None:
        self.is_away = False
        self._retry_at = 0.0
        self._logged_at = -float(LOG_EVERY_SECONDS)

    def call(self, method: Callable[..., Any], *args: Any) -> Any:
        now = time.monotonic()
        if self.is_away:
            if now < self._retry_at:
                raise RedisAway
            self._retry_at = now + RETRY_SECONDS  # one thread tries, the others go on without
        try:
            answer = method(*args)
        except (RedisError, OSError) as error:
            self._note_failure(type(error).__name__)
            raise RedisAway from error
        if self.is_away:
            self.is_away = False
            logger.warning("cache_recovered")
        return answer

    def _note_failure(self, reason: str) -> None:
        now = time.monotonic()
        self.is_away, self._retry_at = True, now + RETRY_SECONDS
        if now - self._logged_at >= LOG_EVERY_SECONDS:
            self._logged_at = now
            logger.error("cache_degraded", extra={"reason": reason})


#: One per process: threads have connections of their own, but there is one Redis.
guard = Guard()


class SignedSerializer(RedisSerializer):
    """Signs values with SECRET_KEY: unpickling foreign data runs its code."""

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


GUARDED_METHODS = {"add", "get", "set", "touch", "delete", "has_key", "incr", "clear"}
GUARDED_METHODS |= {"get_many", "set_many", "delete_many"}


class GuardedClient(RedisCacheClient):
    """Django's client with each call behind the guard."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in GUARDED_METHODS:
            return lambda *args: guard.call(found, *args)
        return found


def _with_substitute(name: str) -> Any:
    def method(self: RedisCacheWithSubstitute, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(RedisCacheWithSubstitute, self), name)(*args, **kwargs)
        except RedisAway:
            return getattr(caches[self.substitute], name)(*args, **kwargs)

    return method


class RedisCacheWithSubstitute(RedisCache):
    """Uses the cache named by SUBSTITUTE while Redis is away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = GuardedClient
        self.substitute: str = params["SUBSTITUTE"]


for _name in GUARDED_METHODS:
    setattr(RedisCacheWithSubstitute, _name, _with_substitute(_name))


def state() -> str:
    """How the cache is: "ok", "degraded" (the substitute is in use) or "failed"."""
    caches["default"].set("readyz", "ok", 10)
    if caches["default"].get("readyz") != "ok":
        return "failed"
    return "degraded" if guard.is_away else "ok"
