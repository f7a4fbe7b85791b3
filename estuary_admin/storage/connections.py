"""Not holding what others need while there is only Estuary to wait for."""

from __future__ import annotations

from django.db import close_old_connections, connection


def let_go_of_the_database() -> None:
    """Give a pooled connection back; the next query borrows one again. SQLite's own stays."""
    if not connection.in_atomic_block:
        close_old_connections()
