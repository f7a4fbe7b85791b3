"""The audit as a file: CSV, NDJSON or JSON, streamed row by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import QuerySet

from keys.audit.stream import as_facts, json_line
from keys.models import AuditEntry

ROWS_PER_READ = 1000
#: Spreadsheets read text that begins with one of these as a formula (OWASP, CSV injection). The
#: last eight are the full-width and the small forms of the first four.
FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b")
#: Some programs skip these characters before a formula.
_INVISIBLE = " \t\r\n\v\f\0\u00a0\u1680\u2060\u3000\ufeff"
_INVISIBLE += "".join(map(chr, [*range(0x2000, 0x2010), *range(0x2028, 0x2030), 0x205F]))
#: Text with any other first character is not a formula: a quick test for large files.
MAYBE_FORMULA_STARTS = FORMULA_STARTS | frozenset(_INVISIBLE)
COLUMNS = tuple(as_facts(AuditEntry()))


class Line:
    """A file for `csv.writer`; its `write` returns the line."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """RFC 4180 with a header row; text that could be a formula gets an apostrophe before it."""
    writer = csv.writer(Line(), lineterminator="\r\n")
    yield writer.writerow(COLUMNS)
    for facts in _all(rows):
        detail = json_line(facts["detail"]) if facts["detail"] else ""
        yield writer.writerow([safe_cell(value) for value in (facts | {"detail": detail}).values()])


def ndjson_lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """One JSON object a line."""
    for facts in _all(rows):
        yield json_line(facts) + "\n"


def json_text(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """One JSON array."""
    lead = "["
    for facts in _all(rows):
        yield f"{lead}\n{json_line(facts)}"
        lead = ","
    yield "[]\n" if lead == "[" else "\n]\n"


FORMS: dict[str, tuple[str, Callable[[QuerySet[AuditEntry]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "ndjson": ("application/x-ndjson", ndjson_lines),
    "json": ("application/json", json_text),
}


def _all(rows: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    return (as_facts(entry) for entry in rows.iterator(chunk_size=ROWS_PER_READ))


def safe_cell(value: Any) -> Any:
    """A value for a cell; text that could be a formula gets an apostrophe before it."""
    if isinstance(value, str) and is_formula(value):
        return f"'{value}"
    return value


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may read this text as a formula."""
    return text[:1] in FORMULA_STARTS or text.lstrip(_INVISIBLE)[:1] in FORMULA_STARTS
