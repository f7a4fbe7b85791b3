"""The checks that `manage.py doctor` runs: each app registers its own in its `doctor` module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from django.db import DatabaseError

from keys.upstream.redaction import redact


class Check(NamedTuple):
    """One line of the doctor's report. `fix` says what to do when it is not ok."""

    line: str
    ok: bool
    fix: str = ""
    is_warning: bool = False  # worth a look, but nothing is broken


Section = Callable[[], Iterable[tuple[str, bool, str] | Check]]

_sections: dict[str, Section] = {}


def register(title: str, section: Section) -> None:
    """Add checks under a title; registering a title again replaces its checks."""
    _sections[title] = section


def examine() -> Iterator[tuple[str, Check]]:
    """Run all checks. One that raises is a finding itself, and does not stop the others."""
    has_database = True
    for title, section in _sections.items():
        try:
            for found in section():
                yield title, Check(*found)
        except Exception as error:
            if isinstance(error, DatabaseError) and not has_database:
                line = "This could not be checked without the database."
            else:
                line = f"This could not be checked: {type(error).__name__}: {redact(str(error))}"
            has_database = has_database and not isinstance(error, DatabaseError)
            yield title, Check(line, ok=False, fix="See the lines above, or report it.")
