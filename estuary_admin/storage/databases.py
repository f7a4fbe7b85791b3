"""Where things are kept: the database, the cache, and which of them holds the sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from estuary_admin import environment as env

SQLITE = "django.db.backends.sqlite3"
#: The cache inside the database: the only one without Redis, the substitute beside it.
TABLE = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    "LOCATION": "cache",
    "OPTIONS": {"MAX_ENTRIES": 20_000},
}


def databases(data_dir: Path) -> dict[str, dict[str, Any]]:
    found = env.database("DATABASE_URL", f"sqlite:///{data_dir / 'estuary-admin.sqlite3'}")
    most = env.count("DATABASE_POOL_SIZE", 16)
    return {"default": found | (_sqlite() if found["ENGINE"] == SQLITE else _pooled(found, most))}


def _sqlite() -> dict[str, Any]:
    return {
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",  # a writer waits its turn instead of failing half-way
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _pooled(found: dict[str, Any], most: int) -> dict[str, Any]:
    """PostgreSQL: the pool keeps connections, requests borrow them."""
    return {
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,  # one that died with its server is replaced, not handed out
        "OPTIONS": {
            "connect_timeout": 5,
            **found.get("OPTIONS", {}),  # what the address says behind its question mark
            "pool": {"min_size": 1, "max_size": most, "timeout": 3},
        },
    }


def caches(data_dir: Path) -> dict[str, dict[str, Any]]:
    """One cache for all processes: in Redis when there is one, else a table of the database.

    Key lists, which are written with every page, are in files without Redis; a list of before a
    change is not shown, whichever machine keeps it, for its version is compared.
    """
    files = {
        "BACKEND": "estuary_admin.storage.file_cache.QuickFileCache",
        "LOCATION": data_dir / "key-lists",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
    address = env.redis("REDIS_URL")
    if not address:
        return {"default": TABLE, "key_lists": files}
    redis = {
        "LOCATION": address,
        "KEY_PREFIX": "estuary-admin",
        "OPTIONS": {
            # A page asks it several times: better no answer than a slow one.
            "socket_connect_timeout": 0.5,
            "socket_timeout": 0.5,
            "serializer": "estuary_admin.storage.redis_cache.SignedSerializer",
        },
    }
    shared = redis | {"BACKEND": "estuary_admin.storage.redis_cache.SharedCache"}
    return {
        "default": shared | {"SUBSTITUTE": "database"},
        "key_lists": shared | {"SUBSTITUTE": "files"},
        "sessions": redis | {"BACKEND": "estuary_admin.storage.redis_cache.GuardedCache"},
        "database": TABLE,
        "files": files,
    }


def session_engine(configured: dict[str, dict[str, Any]]) -> str:
    """A cache in front is worth it only when it is faster than the database."""
    if "sessions" in configured:
        return "estuary_admin.storage.cached_sessions"
    return "estuary_admin.storage.sessions"
