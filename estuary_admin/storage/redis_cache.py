"""Redis as the cache of all processes, with a substitute while it is away or slow.

Nothing that must be right is in Redis alone. While it is away, throttles use a table of the
database and key lists use files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.utils.crypto import constant_time_compare, salted_hmac
from redis.exceptions import RedisError

from estuary_admin.storage.cache_values import pack, unpack

logger = logging.getLogger("estuary_admin.cache")

RETRY_SECONDS = 5  # how long a Redis that failed, or is slow, is left alone
SLOW_CALL_SECONDS = 0.1  # a page makes several calls
SLOW_CALLS_IN_A_ROW = 3  # one slow call may be this process, waiting for the interpreter
LOG_EVERY_SECONDS = 60


class RedisAway(Exception):
    """Redis gave no usable answer."""


class Guard:
    """Stops calls to Redis for a few seconds after one has failed, or several were slow."""

    def __init__(self) -> None:
        self.is_away = False
        self._retry_at = 0.0
        self._slow_calls = 0
        self._logged_at = -float(LOG_EVERY_SECONDS)

    def call(self, method: Callable[..., Any], *args: Any) -> Any:
        started = time.monotonic()
        if self.is_away:
            if started < self._retry_at:
                raise RedisAway
            self._retry_at = started + RETRY_SECONDS  # one thread tries, the others do without
        try:
            answer = method(*args)
        except (RedisError, OSError) as error:
            self._leave_alone(type(error).__name__)
            raise RedisAway from error
        self._note_answer(time.monotonic() - started)
        return answer

    def _note_answer(self, seconds: float) -> None:
        self._slow_calls = self._slow_calls + 1 if seconds >= SLOW_CALL_SECONDS else 0
        if self._slow_calls >= SLOW_CALLS_IN_A_ROW:
            self._leave_alone("slow")
        elif self.is_away and not self._slow_calls:
            self.is_away = False
            logger.warning("cache_recovered")

    def _leave_alone(self, reason: str) -> None:
        now = time.monotonic()
        self.is_away, self._retry_at = True, now + RETRY_SECONDS
        if now - self._logged_at >= LOG_EVERY_SECONDS:
            self._logged_at = now
            logger.error("cache_degraded", extra={"reason": reason})


#: One per process: threads have connections of their own, but there is one Redis.
guard = Guard()


class SignedSerializer:
    """Signs values with SECRET_KEY, so that nobody else who reaches Redis can forge one."""

    def dumps(self, value: Any) -> Any:
        if type(value) is int:  # as a number, so that Redis can increment it
            return value
        packed = pack(value)
        return _signature(packed) + packed

    def loads(self, data: bytes) -> Any:
        if data.lstrip(b"-").isdigit():
            return int(data)
        signature, packed = data[:32], data[32:]
        if not constant_time_compare(signature, _signature(packed)):
            logger.error("cache_value_refused")
            raise RedisAway
        return unpack(packed)


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
    """The state of the cache: "ok", "degraded" (the substitute is in use) or "failed"."""
    caches["default"].set("readyz", "ok", 10)
    if caches["default"].get("readyz") != "ok":
        return "failed"
    return "degraded" if guard.is_away else "ok"
