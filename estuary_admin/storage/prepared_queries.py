"""Queries whose SQL Django makes once: making it takes ten times as long as answering it.

For the few that every page asks. Whatever is asked less often is asked as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


class Prepared(Generic[M]):
    """A query over one table, made with values that only stand for those it is asked with."""

    def __init__(self, example: QuerySet[M, Any]) -> None:
        self._example = example
        self._sql = ""

    def rows(self, *values: int | str | datetime | None) -> list[tuple[Any, ...]]:
        """What is found for these values, which stand in the order of the SQL's conditions."""
        if not self._sql:
            self._prepare(len(values))
        with connection.cursor() as cursor:
            cursor.execute(self._sql, values)
            found = cursor.fetchall()
        return [self._converted(row) for row in found]

    def first(self, *values: int | str | datetime | None) -> M | None:
        """The object that is found for these values, or None."""
        for row in self.rows(*values):
            return self._example.model.from_db(connection.alias, self._names, row)
        return None

    def _prepare(self, count: int) -> None:
        """Have Django compile the example, and remember what it would do with the answers."""
        compiler = self._example.query.clone().get_compiler(connection=connection)
        sql, examples = compiler.as_sql()
        if len(examples) != count:
            raise ValueError(f"the query takes {len(examples)} values, and not {count}")
        columns = [column for column, _, _ in compiler.select]
        self._names = [column.target.attname for column in columns]
        self._converters = compiler.get_converters(columns)
        self._sql = sql

    def _converted(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """SQLite has neither moments nor truth values."""
        values = list(row)
        for place, (converters, column) in self._converters.items():
            for convert in converters:
                values[place] = convert(values[place], column, connection)
        return tuple(values)
