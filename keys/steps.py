"""Tells a waiting page which calls Estuary has answered; it reports nothing else.

A page sends a name of its own making with its form, and asks for the answered calls by that name.
They are kept for minutes beside the key lists, so that no page waits for a lock of the database.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import cast

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from keys.access import signed_in
from keys.upstream import Endpoint

View = Callable[..., HttpResponseBase]

KEEP_SECONDS = 300
NAME = r"[0-9A-Za-z-]{8,40}"

_followed: ContextVar[str] = ContextVar("followed", default="")


def steps_told(view: View) -> View:
    """Keep the calls that Estuary answers to this view, when the page asks for it."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        name = request.POST.get("steps", "")
        key = _key(request, name) if re.fullmatch(NAME, name) else ""
        token = _followed.set(key)
        try:
            return view(request, *args, **kwargs)
        finally:
            _followed.reset(token)

    return cast(View, wrapper)


def call_answered(endpoint: Endpoint, outcome: str, seconds: float) -> None:
    """An observer of calls to Estuary."""
    del seconds
    key = _followed.get()
    if not key or outcome != "ok":
        return
    # The disk may be full. The call itself matters more, for example one that made a key.
    with contextlib.suppress(OSError):
        answered = caches["key_lists"].get(key, b"")
        caches["key_lists"].set(key, b" ".join([answered, endpoint.encode()]).strip(), KEEP_SECONDS)


@require_safe
@signed_in
def steps(request: HttpRequest, name: str) -> HttpResponse:
    """The endpoints whose calls were answered, in their order."""
    answered = caches["key_lists"].get(_key(request, name), b"")
    return HttpResponse(answered, content_type="text/plain; charset=utf-8")


def _key(request: HttpRequest, name: str) -> str:
    return f"steps:{request.user.pk}:{name}"
