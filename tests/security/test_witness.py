"""The search for tokens reads every place where one could be kept, on every storage."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import caches
from django.db import connection

from keys.jobs.queues import long
from keys.models import AuditEntry, KeyNote, PreparedExport
from tests.security.spellings import assert_holds_none
from tests.security.witness import everything_kept, tables

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"


def plant(where: str) -> None:
    if where == "text of a row":
        KeyNote.objects.create(token_hash="x" * 43, note=f"see {TOKEN}")
    elif where == "JSON of a row":
        AuditEntry.objects.create(action="key:noted", detail={"note": TOKEN})
    elif where == "a table without a model":
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE without_model (value text)")
            cursor.execute("INSERT INTO without_model VALUES (%s)", [TOKEN])
    elif where == "the cache":
        caches["default"].set("planted", TOKEN)
    elif where == "a session":
        session = SessionStore()
        session["planted"] = TOKEN
        session.save()
    elif where == "the queue":
        long.storage.enqueue(TOKEN.encode())
    else:
        (settings.DATA_DIR / "planted.txt").write_text(TOKEN)


def uproot() -> None:
    caches["default"].delete("planted")
    long.flush()
    (settings.DATA_DIR / "planted.txt").unlink(missing_ok=True)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS without_model")


@pytest.mark.parametrize(
    "where",
    [
        "text of a row",
        "JSON of a row",
        "a table without a model",
        "the cache",
        "a session",
        "the queue",
        "a file",
    ],
)
def test_a_token_that_is_kept_somewhere_is_found(where: str) -> None:
    plant(where)
    try:
        kept = everything_kept()
    finally:
        uproot()

    everything = "\n".join(kept.values())
    with pytest.raises(AssertionError):
        assert_holds_none(everything, [TOKEN])


def test_every_model_is_among_the_tables() -> None:
    User.objects.create_user("alice")

    read = tables()

    for model in (User, KeyNote, AuditEntry, PreparedExport):
        assert f"table {model._meta.db_table}" in read
    assert "alice" in read[f"table {User._meta.db_table}"]
