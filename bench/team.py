"""The admins' pages over a large team: `python -m bench.team [MEMBERS KEYS]`, 10,000 and 100,000.

The database is TEST_DATABASE_URL, else a SQLite file; for PostgreSQL:
`python -m tests.backing python -m bench.team`. Each line gives the median of a page, in process.
"""

from __future__ import annotations

import base64
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from bench.targets import Row

if TYPE_CHECKING:
    from django.test import Client

    from keys.models import SeenKey, SyncedAccount

LIMIT_MS = 150
ROUNDS = 15
ROWS_PER_WRITE = 1000
CONNECTED = 0.9  # of the members
ENDS = (-20, 3, 40, 200, 36_500)  # days from now
PATHS = (
    "/team/",
    "/team/?q=member05",
    "/team/?state=trouble",
    "/team/?state=token-ends",
    "/team/?state=to-off-board",
    "/team/keys/",
    "/team/keys/?after={middle}",
    "/team/keys/?sort=owner",
    "/team/keys/?sort=-label",
    "/team/keys/?owner=member00077",
    "/team/keys/?q=backup",
    "/team/keys/?q=9999",
    "/team/keys/?q=purpose+333",
    "/team/keys/?status=soon",
    "/team/keys/?finding=any",
    "/team/keys/?finding=no-purpose",
    "/team/keys/?finding=over-policy",
    "/team/keys/?finding=owner-gone",
    "/team/keys/?finding=rotation-overdue",
    "/overview/",
)


def main() -> None:
    members, keys = map(int, sys.argv[1:3] if len(sys.argv) > 2 else (10_000, 100_000))
    with tempfile.TemporaryDirectory(prefix="estuary-admin-bench-") as folder:
        set_up(folder)
        seed(members, keys)
        for row in pages():
            mark = "" if row.is_reached else " (missed)"
            print(f"{row.what}: {row.said(row.figure)}, limit {row.said(row.bound)}{mark}")


def set_up(folder: str) -> None:
    """Make this process a console in production mode, with an empty database."""
    import django
    from django.core.management import call_command

    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "estuary_admin.settings",
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", f"sqlite:///{folder}/team.sqlite3"),
        "DATA_DIR": folder,
        "STATIC_ROOT": f"{folder}/static",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "PUBLIC_URL": "http://localhost:8000",
        "ESTUARY_API_URL": "http://127.0.0.1:9",  # never called
        "LOG_LEVEL": "WARNING",
    }
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def seed(members: int, keys: int) -> None:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.utils import timezone

    from keys.models import KeyNote, SeenKey, StoredToken, SyncedAccount

    now = timezone.now()
    users = [User(username=f"member{n:05}", email=f"m{n}@example.com") for n in range(members)]
    for number, user in enumerate(users):
        user.is_active = number % 200 != 0
    User.objects.bulk_create(users, ROWS_PER_WRITE)
    users = list(User.objects.order_by("username"))[: int(members * CONNECTED)]
    tokens = (StoredToken(member=u, sealed="-", token_hash=hash_for(f"c{u.pk}")) for u in users)
    StoredToken.objects.bulk_create(tokens, ROWS_PER_WRITE)
    accounts = [
        SyncedAccount(member=user, as_of=now, total_size=10**9, trouble="" if n % 50 else "Away.")
        for n, user in enumerate(users)
    ]
    SyncedAccount.objects.bulk_create(accounts, ROWS_PER_WRITE)
    accounts = list(SyncedAccount.objects.select_related("member"))
    SeenKey.objects.bulk_create(keys_of(accounts, keys), ROWS_PER_WRITE)
    notes = (
        KeyNote(token_hash=hash_for(f"{n:06}"), purpose=f"purpose {n}", search_text=f"purpose {n}")
        for n in range(0, keys, 3)
    )
    KeyNote.objects.bulk_create(notes, ROWS_PER_WRITE)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def keys_of(accounts: list[SyncedAccount], count: int) -> Iterator[SeenKey]:
    from django.utils import timezone

    from keys.models import SeenKey

    now, words = timezone.now(), ("backup", "ci", "web", "partner")
    for number in range(count):
        account = accounts[number % len(accounts)]
        label = f"{words[number % len(words)]} {number}"
        yield SeenKey(
            account=account,
            token_hash=hash_for(f"{number:06}"),
            owner=account.member.username,
            label=label,
            label_sort=label,
            search_text=f"{label}\n{account.member.username}",
            expiry=now + timedelta(days=ENDS[number // len(words) % len(ENDS)], seconds=number),
            is_made_here=number % 2 == 0,
            permission="upload" if number % 2 == 0 else "",
            breaks_policy=number % 100 == 0,
        )


def hash_for(name: str) -> str:
    return name.ljust(43, "z")


def pages() -> Iterator[Row]:
    from django.contrib.auth.models import Group, User
    from django.test import Client

    from estuary_admin.members import ADMINS
    from keys.models import SeenKey

    admin = User.objects.create_user("carol")
    admin.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    client = Client(SERVER_NAME="localhost")
    client.force_login(admin)
    middle = SeenKey.objects.order_by("expiry", "pk")[SeenKey.objects.count() // 2]
    for path in PATHS:
        yield Row(path, median_ms(client, path.format(middle=middle.pk)), LIMIT_MS, "ms", digits=1)


def median_ms(client: Client, path: str) -> float:
    took = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        response = client.get(path)
        took.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise RuntimeError(f"{path} answers {response.status_code}")
    return statistics.median(took[1:])  # the first one warms up


if __name__ == "__main__":
    main()
