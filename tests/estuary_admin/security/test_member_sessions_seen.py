"""`last_seen_at` is written rarely and never costs a page."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from estuary_admin.security import middleware
from estuary_admin.security.middleware import LastSeen
from tests.estuary_admin.security.conftest import row_of, typed_in

pytestmark = pytest.mark.usefixtures("nothing_seen_yet")


def test_last_seen_is_written_at_most_every_five_minutes(alice: User) -> None:
    with time_machine.travel("2026-11-25 12:00:00+00:00", tick=False) as clock:
        client = typed_in()
        moments = []
        for _ in range(4):
            clock.shift(200)
            client.get("/stats/")
            moments.append(row_of(client).last_seen_at)

    assert [f"{moment:%H:%M:%S}" for moment in moments] == [
        "12:03:20",
        "12:03:20",
        "12:10:00",
        "12:10:00",
    ]


def test_pages_make_no_query_for_the_session_list(alice: User) -> None:
    client = typed_in()
    client.get("/stats/")

    with CaptureQueriesContext(connection) as queries:
        client.get("/stats/")

    assert not [one for one in queries.captured_queries if "security_" in one["sql"]]


def test_a_locked_database_does_not_break_the_page(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = typed_in()

    def locked(*_: Any, **__: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr("django.db.models.query.QuerySet.update", locked)
    LastSeen().note(row_of(client).pk)


def test_a_process_remembers_a_bounded_number_of_sessions(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "MAX_REMEMBERED_SESSIONS", 2)
    seen = LastSeen()

    for row in range(5):
        seen.note(row)

    assert len(seen._written) <= 2
