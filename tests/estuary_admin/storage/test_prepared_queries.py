"""Prepared queries give the same results as Django's, in every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.sql.compiler import SQLCompiler

from estuary_admin.storage.prepared_queries import PreparedQuery

BORN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def members(db: None) -> list[User]:
    return [
        User.objects.create(username="alice", last_login=BORN, is_active=False),
        User.objects.create(username="bob"),
    ]


def test_an_object_equals_the_one_that_django_gives(members: list[User]) -> None:
    by_pk = PreparedQuery(User.objects.filter(pk=0))

    for member in members:
        found, expected = by_pk.first(member.pk), User.objects.get(pk=member.pk)
        assert found is not None
        mine, theirs = vars(found), vars(expected)
        assert mine.pop("_state").adding is theirs.pop("_state").adding is False
        assert mine == theirs
        assert [type(value) for value in mine.values()] == [type(v) for v in theirs.values()]


def test_no_row_is_none(members: list[User]) -> None:
    assert PreparedQuery(User.objects.filter(pk=0)).first(0) is None


def test_columns_come_in_the_requested_order(members: list[User]) -> None:
    example = User.objects.filter(username="").values_list("last_login", "username", "is_active")

    assert PreparedQuery(example).rows("alice") == [(BORN, "alice", False)]


def test_the_query_is_compiled_once(members: list[User]) -> None:
    by_name = PreparedQuery(User.objects.filter(username=""))

    with patch.object(
        SQLCompiler, "as_sql", autospec=True, side_effect=SQLCompiler.as_sql
    ) as as_sql:
        found = [by_name.first("bob") for _ in range(3)]

    assert found == [members[1]] * 3
    assert as_sql.call_count == 1


def test_a_wrong_number_of_values_raises(db: None) -> None:
    with pytest.raises(ValueError, match="takes 1 values, not 2"):
        PreparedQuery(User.objects.filter(pk=0)).rows(1, 2)


@pytest.mark.django_db(transaction=True)
def test_each_thread_uses_its_own_connection() -> None:
    member = User.objects.create(username="alice", last_login=BORN)
    by_pk = PreparedQuery(User.objects.filter(pk=0))

    def ask() -> tuple[User | None, int]:
        try:
            return by_pk.first(member.pk), id(connection.connection)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = [each.result() for each in [pool.submit(ask) for _ in range(20)]]

    assert {(found.last_login if found else None) for found, _ in answers} == {BORN}
