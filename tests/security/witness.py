"""Records every response, log record and stored value, to search them for tokens."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from redis import Redis

from estuary_admin.observability.logging import JsonFormatter, LineFormatter
from keys.jobs.queues import long, short
from keys.upstream import UpstreamError

CHATTY = ["django", "django.db.backends", "urllib3", "keys"]


class LogWitness(logging.Handler):
    """Keeps each record in every shape in which it may leave the process."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []
        self._formatters = [LineFormatter(), JsonFormatter(), logging.Formatter()]

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [formatter.format(record) for formatter in self._formatters]
        plain = {name: value for name, value in vars(record).items() if name != "request"}
        self.lines.append(f"{record.name} {plain!r}")


@contextmanager
def watched_logs(*more: logging.Handler) -> Iterator[LogWitness]:
    """Log everything at DEBUG; the witness sees it, and so do `more`."""
    witness, root = LogWitness(), logging.getLogger()
    loggers = [root, *map(logging.getLogger, CHATTY)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    for handler in (witness, *more):
        root.addHandler(handler)
    try:
        yield witness
    finally:
        for handler in (witness, *more):
            root.removeHandler(handler)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


class WatchedClient(Client):
    """A browser that keeps all it was sent, and what its session held then."""

    def __init__(self, seen: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self._seen = seen

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        body = download(response) if response.streaming else response.content
        head = f"{dict(response.headers)} {response.cookies.output()}"
        where = f"{request['REQUEST_METHOD']} {request['PATH_INFO']}"
        if settings.SESSION_COOKIE_NAME in self.cookies:  # before it is shown or signed out
            self._seen.append((f"session after {where}", str(dict(self.session.items()))))
        self._seen.append((where, head + body.decode(errors="replace")))
        return response


def download(response: Any) -> bytes:
    """As much of an export as comes, and what broke it off."""
    body = bytearray()
    try:
        for chunk in response.streaming_content:
            body += chunk
    except UpstreamError as error:
        body += repr(error).encode()
    return bytes(body)


def everything_kept() -> dict[str, str]:
    """What is in files, tables, Redis and the outbox, as text in which a token would be found."""
    files = set(Path(settings.DATA_DIR).rglob("*"))
    if connection.vendor == "sqlite":  # also what is deleted, and not overwritten yet
        database = Path(settings.DATABASES["default"]["NAME"])
        files |= set(database.parent.glob(f"{database.name}*"))
    kept = {str(path): path.read_bytes().decode("latin-1") for path in files if path.is_file()}
    kept |= tables() | in_redis()
    kept["cache"] = " ".join(cached())
    kept["sessions"] = " ".join(str(one.get_decoded()) for one in Session.objects.all())
    kept["queue"] = " ".join(
        str(item) for queue in (short, long) for item in queue.storage.enqueued_items()
    )
    kept["mail"] = " ".join(str(one.message()) for one in mail.outbox)
    return kept


def tables() -> dict[str, str]:
    """Every table of the database, with those that no model has, such as the queue's."""
    found = {}
    with connection.cursor() as cursor:
        for name in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")  # noqa: S608
            rows = cursor.fetchall()
            found[f"table {name}"] = "\n".join(as_text(value) for row in rows for value in row)
    return found


def in_redis() -> dict[str, str]:
    """Every value in Redis, if there is one: caches and the queue."""
    address = settings.CACHES["default"].get("LOCATION", "")
    if not address.startswith("redis"):
        return {}
    with Redis.from_url(address) as redis:
        return {f"redis {key!r}": as_text(redis_value(redis, key)) for key in redis.scan_iter()}


def redis_value(redis: Redis, key: bytes) -> object:
    readers: dict[bytes | str, Callable[[], object]] = {
        b"string": lambda: redis.get(key),
        b"list": lambda: redis.lrange(key, 0, -1),
        b"hash": lambda: redis.hgetall(key),
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1),
    }
    kind = redis.type(key)
    return None if kind == b"none" else readers[kind]()  # it may have expired just now


def as_text(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("latin-1")
    return str(value)


def cached() -> list[str]:
    """The cache as it is when read: on the disk its values are packed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM cache")
        rows = cursor.fetchall()
    return [f"{key} {base64.b64decode(value).decode('latin-1')}" for key, value in rows]
