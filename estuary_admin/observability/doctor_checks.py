"""The doctor's checks of this machine: settings, disk, database, caches, mail and backups."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core import checks
from django.core.cache import caches
from django.core.mail import get_connection
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.template.defaultfilters import pluralize
from django.utils import timezone
from redis.exceptions import ResponseError

from estuary_admin import environment as env
from estuary_admin.observability.doctor import Check, register
from estuary_admin.storage.backups import last_backup
from estuary_admin.web.unreadable_headers import unreadable_headers

MIB = 2**20
MIN_FREE_MIB = 100
MAX_BACKUP_AGE = timedelta(days=2)
MAX_CLOCK_DIFFERENCE = timedelta(seconds=5)
SLOW_REDIS_SECONDS = 0.05


def settings_checks() -> Iterator[Check]:
    messages = [
        message
        for message in checks.run_checks(include_deployment_checks=True)
        if not message.is_silenced() and message.level >= checks.WARNING
    ]
    for message in messages:
        line = f"{message.msg} ({message.id})"
        yield Check(line, ok=False, fix=message.hint or "", is_warning=not message.is_serious())
    if not messages:
        yield Check("`check --deploy` names no issues.", ok=True)


def data_dir() -> Iterator[Check]:
    folder = Path(settings.DATA_DIR)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        owner = folder.stat().st_uid
        yield Check(
            f"DATA_DIR {folder} cannot be written by uid {os.getuid()}; it belongs to uid {owner}.",
            ok=False,
            fix="Run this as the console's user, or give that user the folder with chown.",
        )
        return
    free, needed = shutil.disk_usage(folder).free // MIB, MIN_FREE_MIB + _database_mib()
    yield Check(
        f"DATA_DIR {folder} can be written; {free} MiB are free.",
        ok=free >= needed,
        fix=f"Make room: {needed} MiB are needed for the database to grow and be copied.",
        is_warning=free >= MIN_FREE_MIB,
    )


def _database_mib() -> int:
    """The size of an SQLite database in MiB, 0 for PostgreSQL."""
    if connection.vendor != "sqlite":
        return 0
    path = Path(str(connection.settings_dict["NAME"]))
    return path.stat().st_size // MIB if path.exists() else 0


def database() -> Iterator[Check]:
    connection.ensure_connection()
    yield Check(f"The database ({connection.display_name}) answers.", ok=True)
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    are = pluralize(plan, " is,s are")
    missing = f"{len(plan)} migration{are} not applied, from {plan[0][0]} on." if plan else ""
    yield Check(
        missing or "All migrations are applied.", ok=not plan, fix="Run `manage.py migrate`."
    )
    if connection.vendor == "postgresql":
        yield from _postgresql()


def _postgresql() -> Iterator[Check]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), current_setting('max_connections')::int")
        server_time, max_connections = cursor.fetchone()
    difference = abs(server_time - timezone.now())
    yield Check(
        f"The clocks of PostgreSQL and this machine differ by {difference.total_seconds():.1f} s.",
        ok=difference <= MAX_CLOCK_DIFFERENCE,
        fix="Run a time service, such as systemd-timesyncd, on both.",
    )
    pool = connection.settings_dict["OPTIONS"]["pool"]["max_size"]
    wanted = pool * env.count("WEB_CONCURRENCY", 2)
    yield Check(
        f"This machine takes up to {wanted} of PostgreSQL's {max_connections} connections.",
        ok=wanted < max_connections,
        fix="Lower DATABASE_POOL_SIZE or WEB_CONCURRENCY, or raise PostgreSQL's max_connections.",
    )


def static_files() -> Iterator[Check]:
    if not isinstance(staticfiles_storage, ManifestFilesMixin):
        yield Check("Static files are served without a manifest.", ok=True)
        return
    stale = sorted(
        name
        for finder in get_finders()
        for name, storage in finder.list([])
        if not _is_collected(staticfiles_storage, name, storage)
    )
    yield Check(
        f"{len(stale)} static file{pluralize(stale, ' is,s are')} missing or old, such as "
        f"{stale[0]}."
        if stale
        else "Static files are collected.",
        ok=not stale,
        fix="Run `manage.py collectstatic --noinput`, then restart.",
    )


def _is_collected(collected: ManifestFilesMixin, name: str, source: object) -> bool:
    hashed = collected.hashed_files.get(collected.hash_key(name))
    if hashed is None or not collected.exists(hashed):  # type: ignore[attr-defined] # a mixin
        return False
    if not name.endswith(".js"):  # the hash of a stylesheet is that of its rewritten text
        return True
    with source.open(name) as file:  # type: ignore[attr-defined] # the stubs lack it
        return collected.hashed_name(name, file) == hashed


def redis() -> Iterator[Check]:
    if "database" not in settings.CACHES:
        yield Check("REDIS_URL is not set: the database and files cache.", ok=True)
        return
    started = time.monotonic()
    try:
        client = caches["default"]._cache.get_client(write=True)  # type: ignore[attr-defined] # noqa: SLF001
        # A replica, or a Redis that is full, answers a ping too.
        client.set("estuary-admin-doctor", "1", ex=60)
        client.delete("estuary-admin-doctor")
    except Exception as error:
        does = "refuses to store" if isinstance(error, ResponseError) else "does not answer"
        yield Check(
            f"Redis {does} ({type(error).__name__}).",
            ok=False,
            fix="Start it, or correct REDIS_URL. Until then the database and files cache.",
        )
        return
    seconds = time.monotonic() - started
    yield Check(
        f"Redis answers in {seconds * 1000:.0f} ms.",
        ok=seconds < SLOW_REDIS_SECONDS,
        fix="A page makes several calls: put Redis near, or remove REDIS_URL on a single machine.",
        is_warning=True,
    )


def mail() -> Iterator[Check]:
    if settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"):
        yield Check("EMAIL_URL is not set: no mail is sent.", ok=True)
        return
    try:
        with get_connection(fail_silently=False):
            yield Check("The mail server lets us in.", ok=True)
    except Exception as error:
        yield Check(
            f"The mail server does not let us in ({type(error).__name__}).",
            ok=False,
            fix="Correct EMAIL_URL; the server's own log has the reason.",
        )


def _age_in_words(age: timedelta) -> str:
    days, hours = age.days, age.seconds // 3600
    return f"{days} day{pluralize(days)} and {hours} hour{pluralize(hours)}"


def backups() -> Iterator[Check]:
    made = last_backup()
    how = (
        "Run `manage.py backup` once a day."
        if connection.vendor == "sqlite"
        else "Run pg_dump once a day, and `manage.py backup --record` after it."
    )
    age = max(timezone.now() - made, timedelta()) if made else None
    yield Check(
        "This machine has recorded no backup."
        if age is None
        else f"The last backup is {_age_in_words(age)} old.",
        ok=age is not None and age <= MAX_BACKUP_AGE,
        fix=how,
        is_warning=True,
    )


def proxies() -> Iterator[Check]:
    unreadable = unreadable_headers()
    for header, found in unreadable.items():
        yield Check(
            f"A proxy of TRUSTED_PROXIES sent {header}: {found['value']}, which cannot be read.",
            ok=False,
            fix=f"Have the proxy send a {header} as docs/install.md says under “The proxy”.",
            is_warning=True,
        )
    if not unreadable:
        yield Check("No proxy sent a header that cannot be read.", ok=True)


register("Settings", settings_checks)
register("Data", data_dir)
register("Database", database)
register("Static files", static_files)
register("Proxies", proxies)
register("Redis", redis)
register("Mail", mail)
register("Backups", backups)
