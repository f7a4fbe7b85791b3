"""Database connections: given back while a request waits for Estuary, replaced when one breaks.

A write that must not be lost is repeated on a fresh connection, and afterwards by a thread of its
own: Estuary has made or revoked a key, which cannot be undone, and the record of it comes last.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, close_old_connections, connection

logger = logging.getLogger("estuary_admin.storage")

T = TypeVar("T")

#: Seconds before each try while somebody waits: PostgreSQL restarts in one or two.
PAUSES = (0.0, 0.2, 0.5, 1.0)
#: The same afterwards, for half an hour.
LATER_PAUSES = (2.0, 5.0, 15.0, 30.0, *[60.0] * 30)


def release_connection() -> None:
    """Give a pooled connection back; the next query borrows another. SQLite keeps its own."""
    if not connection.in_atomic_block:
        close_old_connections()


def write_surely(write: Callable[[], object], name: str) -> bool:
    """Write now, or as soon as the database is back; whether it is written already.

    `write` must do no harm when it runs twice: a commit may succeed although its answer is lost.
    `name` is the event that the log gets when it could not be written now.
    """
    try:
        write_with_retries(write, name)
    except Error:
        logger.exception(name)
    else:
        return True
    if not connection.in_atomic_block:  # another connection sees nothing of that transaction
        threading.Thread(target=_write_later, args=(write, name), daemon=True).start()
    return False


def write_with_retries(write: Callable[[], T], name: str, pauses: tuple[float, ...] = PAUSES) -> T:
    """Write, up to as often as there are pauses; raises the last error of the database."""
    for pause in pauses:
        time.sleep(pause)
        try:
            return write()
        except Error as error:
            last = error
            logger.warning("write_retried", extra={"reason": f"{name}: {type(error).__name__}"})
            release_connection()  # discards a broken one, so that the next try gets a fresh one
    raise last


def _write_later(write: Callable[[], object], name: str) -> None:
    try:
        write_with_retries(write, name, LATER_PAUSES)
        logger.warning("written_late", extra={"reason": name})
    except Error:
        logger.exception("not_written_at_all", extra={"reason": name})
    finally:
        connection.close()
