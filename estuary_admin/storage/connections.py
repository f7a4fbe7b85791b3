"""Returns database connections to the pool while a request waits for Estuary."""

from __future__ import annotations

from django.db import close_old_connections, connection


def release_connection() -> None:
    """Give a pooled connection back; the next query borrows another. SQLite keeps its own."""
    if not connection.in_atomic_block:
        close_old_connections()
