"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator


def table(*rows: tuple[object, ...], words: int = 1) -> Iterator[str]:
    """The first row names the columns; the first `words` columns are text."""
    head, *body = rows
    yield "| " + " | ".join(map(str, head)) + " |"
    yield "|" + "|".join("---" if at < words else "--:" for at in range(len(head))) + "|"
    for row in body:
        yield "| " + " | ".join(map(str, row)) + " |"
