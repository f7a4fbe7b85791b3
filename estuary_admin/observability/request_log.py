"""Give each request an id; log one line for it and count it once it is answered."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter, Histogram

from estuary_admin.observability.metrics import REGISTRY
from estuary_admin.web.client_address import comes_from_proxy
from keys.upstream.redaction import holds_token

logger = logging.getLogger("estuary_admin.request")

REQUESTS = Counter(
    "estuary_admin_requests",
    "Requests answered, by route pattern",
    ["method", "route", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "estuary_admin_request_seconds",
    "Time until an answer begins",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=REGISTRY,
)
KNOWN_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(slots=True)
class UpstreamTime:
    """Time that a request spends waiting for Estuary."""

    calls: int = 0
    seconds: float = 0.0


_current: ContextVar[UpstreamTime] = ContextVar("estuary_admin_upstream_time")


def begin_upstream_time() -> UpstreamTime:
    spent = UpstreamTime()
    _current.set(spent)
    return spent


def add_upstream_time(seconds: float) -> None:
    """Add one call; outside a request there is nothing to add it to."""
    if spent := _current.get(None):
        spent.calls += 1
        spent.seconds += seconds


class RequestLogMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = request_id_of(request)  # type: ignore[attr-defined]
        started, upstream = time.monotonic(), begin_upstream_time()
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
        upstream: UpstreamTime,
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


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    # A label's values are never freed, so a client must not be able to make up new ones.
    method = method if method in KNOWN_METHODS else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


def request_id_of(request: HttpRequest) -> str:
    """Take over the trusted proxy's id, so that both logs can be compared; else make one.

    An id from anybody else is ignored: it could repeat the id of another request.
    """
    given = str(request.META.get("HTTP_X_REQUEST_ID", ""))
    if VALID_REQUEST_ID.fullmatch(given) and comes_from_proxy(request) and not holds_token(given):
        return given
    return uuid.uuid4().hex
