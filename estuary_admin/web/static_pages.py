"""Error pages rendered at the start, for responses that are given outside of Django."""

from __future__ import annotations

import uuid
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import set_script_prefix

from estuary_admin.web.middleware import RESPONSE_HEADERS

Headers = list[tuple[str, str]]

TEMPLATES = ("400.html", "431.html", "500.html", "503_busy.html", "503_storage.html")
TEMPLATE_OF_STATUS = {
    400: "400.html",
    414: "431.html",
    431: "431.html",
    500: "500.html",
    503: "503_busy.html",
}
PLAIN_PAGE = b"This console could not answer the request.\n"


def load() -> None:
    """Render the pages while there is memory for it."""
    set_script_prefix(f"{settings.BASE_PATH}/")
    for template in TEMPLATES:
        _page(template)


def static_response(status: int, template: str = "") -> tuple[str, Headers, bytes]:
    """A status line, headers with a new request id, and the page, as WSGI takes them."""
    body = _page(template or TEMPLATE_OF_STATUS.get(status, "400.html"))
    headers = {
        **RESPONSE_HEADERS,
        "Cache-Control": "no-store",
        "Content-Type": "text/plain" if body is PLAIN_PAGE else "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "X-Request-Id": uuid.uuid4().hex,
    }
    return f"{status} {HTTPStatus(status).phrase}", list(headers.items()), body


@cache
def _page(template: str) -> bytes:
    try:
        return render_to_string(template).encode()
    except Exception:  # the response matters more than its looks
        return PLAIN_PAGE
