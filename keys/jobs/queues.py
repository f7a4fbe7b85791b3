"""The two queues of wake-ups: short work, and long work that must not hold up the short.

A queue holds no work, only wake-ups: the name of a task and row numbers. The work itself is
in our database, and the periodic tasks find it there when a queue was lost.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from django.conf import settings
from django.db import connections, transaction
from django.utils.module_loading import import_string
from huey import Huey
from huey.api import TaskWrapper
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import BaseSqlStorage

logger = logging.getLogger("estuary_admin.jobs")


class WakeUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is stored of a task; `args` are primary keys."""

    id: str
    name: str
    args: tuple[int, ...]
    eta: datetime | None
    retries: int
    retry_delay: float


class WakeUpSerializer(Serializer):
    """JSON of a fixed shape: huey's own serializers unpickle what they read, which can run code."""

    def serialize(self, data: Message) -> bytes:
        if data.kwargs or data.on_complete or data.on_error or data.chord_config:
            raise ValueError("a wake-up carries primary keys only")
        if not all(type(number) is int for number in data.args or ()):
            raise TypeError("a wake-up carries primary keys only")
        wake_up = WakeUp(
            data.id, data.name, tuple(data.args or ()), data.eta, data.retries, data.retry_delay
        )
        return msgspec.json.encode(wake_up)

    def deserialize(self, data: bytes) -> Message:
        return Message(**{"kwargs": {}} | msgspec.structs.asdict(_decoder.decode(data)))


_decoder = msgspec.json.Decoder(WakeUp)


def _postgres_connection() -> Any:
    """A connection of huey's own; when each is made, the settings say where the database is."""
    found = connections["default"].settings_dict
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
    names |= {"port": "PORT"}
    parts = {part: found[name] for part, name in names.items() if found[name]}
    options = {name: value for name, value in found["OPTIONS"].items() if name != "pool"}
    return psycopg.connect(**parts, **options)


def _queue(name: str) -> Huey:
    storage = import_string(settings.QUEUE["STORAGE"])
    options = dict(settings.QUEUE["OPTIONS"])
    if issubclass(storage, BaseSqlStorage):
        options["create_tables"] = False  # by `prepare`: importing this must not connect
    if options.pop("IS_POSTGRESQL", False):
        options["connection"] = _postgres_connection
    return Huey(
        name, storage_class=storage, results=False, serializer=WakeUpSerializer(), **options
    )


short = _queue("short")
long = _queue("long")


def prepare() -> None:
    """Make the tables that a queue in a database needs."""
    for queue in (short, long):
        if isinstance(queue.storage, BaseSqlStorage):
            queue.storage.initialize_schema()


def wake(task: TaskWrapper, *row_numbers: int) -> None:
    """Wake a task once the running transaction is committed.

    A wake-up that fails is only logged: the periodic task finds the row within seconds.
    """

    def send() -> None:
        try:
            task(*row_numbers)
        except Exception as error:
            logger.warning("wake_up_failed", extra={"reason": type(error).__name__})

    transaction.on_commit(send, robust=True)
