"""Give each request an id; log one line for it and count it once it is answered."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from estuary_admin.observability import upstream_time
from estuary_admin.observability.metrics import count_request
from estuary_admin.web.client_address import comes_from_proxy
from keys.upstream.redaction import holds_token

logger = logging.getLogger("estuary_admin.request")

VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestLogMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = request_id_of(request)  # type: ignore[attr-defined]
        started, upstream = time.monotonic(), upstream_time.begin()
        response = self.get_response(request)
        took = time.monotonic() - started
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        line = self.line(request, response, took, upstream)
        count_request(str(request.method), line["route"], response.status_code, took)
        logger.info("request", extra=line)
        return response

    @staticmethod
    def line(
        request: HttpRequest,
        response: HttpResponseBase,
        took: float,
        upstream: upstream_time.UpstreamTime,
    ) -> dict[str, Any]:
        match = request.resolver_match
        return {
            "request_id": request.request_id,  # type: ignore[attr-defined]
            "method": request.method,
            # The pattern, not the path: people paste tokens into address bars.
            "route": match.route if match else "-",
            "member": getattr(getattr(request, "_cached_user", None), "pk", None) or "-",
            "status": response.status_code,
            "ms": round(took * 1000),
            "upstream_ms": round(upstream.seconds * 1000),
            "upstream_calls": upstream.calls,
        }


def request_id_of(request: HttpRequest) -> str:
    """Take over the trusted proxy's id, so that both logs can be compared; else make one.

    An id from anybody else is ignored: it could repeat the id of another request.
    """
    given = str(request.META.get("HTTP_X_REQUEST_ID", ""))
    if VALID_REQUEST_ID.fullmatch(given) and comes_from_proxy(request) and not holds_token(given):
        return given
    return uuid.uuid4().hex
