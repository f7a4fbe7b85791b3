"""Refuse requests for other hosts with one log line, where Django would log a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase

from estuary_admin.web.errors import error_page
from keys.upstream.redaction import redact

logger = logging.getLogger("estuary_admin.request")


class AllowedHostMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            extra = {"request_id": getattr(request, "request_id", "-"), "reason": shown(request)}
            logger.warning("host_refused", extra=extra)
            return error_page(request, 400)
        return self.get_response(request)


def shown(request: HttpRequest) -> str:
    """The host, without a token that somebody typed there and the browser wrote in lower case."""
    host = str(request.META.get("HTTP_HOST", ""))
    return ascii(redact(host.upper()).lower())[:100]
