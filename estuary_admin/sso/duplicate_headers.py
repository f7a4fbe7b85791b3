"""For gunicorn.conf.py: a doubled identity header must not look like one with a comma."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

#: No header may hold it, so that the value is refused as malformed when it is read.
DOUBLED = "\x00"


class Request(Protocol):
    headers: list[tuple[str, str]]


def mark_doubles(names: list[str]) -> Callable[[Any, Request], None]:
    """A `pre_request` that spoils those headers if they stand twice.

    The server joins them by a comma, which in groups is a separator: what a client sent and the
    proxy did not clear would become further groups.
    """
    watched = {name.upper() for name in names}

    def pre_request(_worker: Any, request: Request) -> None:
        seen = [name for name, _ in request.headers if name in watched]
        doubled = {name for name in seen if seen.count(name) > 1}
        if doubled:
            kept = [(name, value) for name, value in request.headers if name not in doubled]
            request.headers = [*kept, *((name, DOUBLED) for name in sorted(doubled))]

    return pre_request
