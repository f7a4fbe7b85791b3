"""A gunicorn hook: a duplicate identity header must not look like one header with a comma."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

#: No valid header contains this, so the reader refuses the value as malformed.
DUPLICATE_MARK = "\x00"


class Request(Protocol):
    headers: list[tuple[str, str]]


def mark_duplicates(names: list[str]) -> Callable[[Any, Request], None]:
    """Return a `pre_request` hook that makes these headers invalid when they occur twice.

    gunicorn joins duplicates with a comma, and a comma separates groups. Without this hook, a
    groups header from the client that the proxy did not remove would add groups.
    """
    watched = {name.upper() for name in names}

    def pre_request(_worker: Any, request: Request) -> None:
        seen = [name for name, _ in request.headers if name in watched]
        duplicates = {name for name in seen if seen.count(name) > 1}
        if duplicates:
            kept = [(name, value) for name, value in request.headers if name not in duplicates]
            request.headers = [*kept, *((name, DUPLICATE_MARK) for name in sorted(duplicates))]

    return pre_request
