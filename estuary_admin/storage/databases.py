"""The DATABASES and CACHES settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from estuary_admin import environment as env
from estuary_admin.storage.cache_values import FORMAT_VERSION

SQLITE = "django.db.backends.sqlite3"
#: A table of the database: the cache without Redis, and its substitute while Redis is away.
DATABASE_CACHE = {
    "BACKEND": "estuary_admin.storage.database_cache.SafeDatabaseCache",
    "LOCATION": "cache",
    "VERSION": FORMAT_VERSION,
    "OPTIONS": {"MAX_ENTRIES": 20_000},
}


def databases(data_dir: Path) -> dict[str, dict[str, Any]]:
    default = {"ENGINE": SQLITE, "NAME": str(data_dir / "estuary-admin.sqlite3")}
    found = env.database("DATABASE_URL") or default
    pool_size = env.count("DATABASE_POOL_SIZE", 16)
    more = _sqlite() if found["ENGINE"] == SQLITE else _postgresql(found, pool_size)
    return {"default": found | more}


def files(databases: dict[str, dict[str, Any]]) -> list[Path]:
    """The file of an SQLite database; none for PostgreSQL."""
    return [Path(one["NAME"]).absolute() for one in databases.values() if one["ENGINE"] == SQLITE]


def _sqlite() -> dict[str, Any]:
    return {
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",  # a writer waits at the start, and never fails midway
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _postgresql(found: dict[str, Any], pool_size: int) -> dict[str, Any]:
    """A pool keeps the connections; requests borrow them."""
    return {
        "ENGINE": "estuary_admin.storage.postgresql",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # A slot of the pool comes free before a thread gives up waiting for one.
            "connect_timeout": 3,
            "pool": {"max_size": pool_size, "timeout": 5},
            # A server that vanished without closing its connections, as in a failover.
            "tcp_user_timeout": 5000,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            **found.get("OPTIONS", {}),  # the query part of DATABASE_URL
        },
    }


def caches(data_dir: Path) -> dict[str, dict[str, Any]]:
    """One cache for all processes: Redis if REDIS_URL is set, else a table of the database.

    Without Redis key lists are cached in files: each list page writes one, and a table would make
    pages wait for SQLite's write lock. Lists carry a version, so a machine's old file is not shown.
    """
    files = {
        "BACKEND": "estuary_admin.storage.file_cache.FileCache",
        "LOCATION": data_dir / "key-lists",
        "VERSION": FORMAT_VERSION,
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
    address = env.redis("REDIS_URL")
    if not address:
        return {"default": DATABASE_CACHE, "key_lists": files}
    redis = {
        "BACKEND": "estuary_admin.storage.redis_cache.RedisCacheWithSubstitute",
        "LOCATION": address,
        "KEY_PREFIX": "estuary-admin",
        "VERSION": FORMAT_VERSION,
        "OPTIONS": {
            # A page makes several calls: an error is better than a slow answer.
            "socket_connect_timeout": 0.5,
            "socket_timeout": 0.5,
            "serializer": "estuary_admin.storage.redis_cache.SignedSerializer",
        },
    }
    return {
        "default": redis | {"SUBSTITUTE": "database"},
        "key_lists": redis | {"SUBSTITUTE": "files"},
        "database": DATABASE_CACHE,
        "files": files,
    }


def queue(data_dir: Path, database: dict[str, Any]) -> dict[str, Any]:
    """The storage of the worker's wake-ups: Redis, PostgreSQL, or a file of this machine."""
    if address := env.redis("REDIS_URL"):
        limits = {"socket_connect_timeout": 0.5, "socket_timeout": 5}
        # Without retries, which take seconds: a worker goes on without its queue.
        pool = ConnectionPool.from_url(address, retry=Retry(NoBackoff(), 0), **limits)
        return {"STORAGE": "huey.storage.RedisStorage", "OPTIONS": {"connection_pool": pool}}
    if database["ENGINE"] != SQLITE:
        return {"STORAGE": "huey.storage.PostgresStorage", "OPTIONS": {"IS_POSTGRESQL": True}}
    file = str(data_dir / "queue.sqlite3")
    return {"STORAGE": "huey.storage.SqliteStorage", "OPTIONS": {"filename": file}}
