"""Queries whose SQL is compiled once: compiling takes ten times as long as running them.

Only for the queries that run on every page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


class PreparedQuery(Generic[M]):
    """A query over one table. The values in the example are replaced on each call."""

    def __init__(self, example: QuerySet[M, Any]) -> None:
        self._example = example
        self._sql = ""
        self._parameters: Sequence[Any] = ()

    def rows(self, *values: int | str | datetime | None) -> list[tuple[Any, ...]]:
        """The rows for these values, given in the order of the SQL's parameters."""
        if not self._sql:
            self._compile()
        if len(self._parameters) != len(values):
            raise ValueError(f"the query takes {len(self._parameters)} values, not {len(values)}")
        return self._run(values)

    def same_rows(self) -> list[tuple[Any, ...]]:
        """The rows for the values of the example; only what the database computes may change."""
        if not self._sql:
            self._compile()
        return self._run(self._parameters)

    def _run(self, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(self._sql, values)
            found = cursor.fetchall()
        return [self._converted(row) for row in found]

    def first(self, *values: int | str | datetime | None) -> M | None:
        """The first object for these values, or None."""
        for row in self.rows(*values):
            return self._example.model.from_db(connection.alias, self._names, row)
        return None

    def _compile(self) -> None:
        compiler = self._example.query.clone().get_compiler(connection=connection)
        sql, self._parameters = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        # Sums and counts have no field.
        self._names = [column.target.attname for column in columns if hasattr(column, "target")]
        self._converters = compiler.get_converters(columns)
        self._sql = sql

    def _converted(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """SQLite returns datetimes and booleans as text and integers."""
        values = list(row)
        for index, (converters, column) in self._converters.items():
            for convert in converters:
                values[index] = convert(values[index], column, connection)
        return tuple(values)
