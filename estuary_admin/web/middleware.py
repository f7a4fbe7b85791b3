"""What holds for every request: an id and a log line, our headers, and sign-in by default."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from estuary_admin.observability import upstream_time
from estuary_admin.observability.metrics.registry import answered
from estuary_admin.web.client_address import comes_from_proxy
from estuary_admin.web.content_policy import POLICY
from estuary_admin.web.redirects import go_to
from keys.upstream.redaction import holds_token

logger = logging.getLogger("estuary_admin.request")

IS_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestLogMiddleware:
    """Give the request an id, and write one line and count it when it is answered."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = request_id_of(request)  # type: ignore[attr-defined]
        started, upstream = time.monotonic(), upstream_time.begin()
        response = self.get_response(request)
        took = time.monotonic() - started
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        line = self.line(request, response, took, upstream)
        answered(str(request.method), line["route"], response.status_code, took)
        logger.info("request", extra=line)
        return response

    @staticmethod
    def line(
        request: HttpRequest, response: HttpResponseBase, took: float, upstream: upstream_time.Tally
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
    """The proxy's id of a request, so that its log and ours can be laid side by side, or our own.

    Anybody else could make up one that stands for another request.
    """
    given = str(request.META.get("HTTP_X_REQUEST_ID", ""))
    if IS_ID.fullmatch(given) and comes_from_proxy(request) and not holds_token(given):
        return given
    return uuid.uuid4().hex


class ResponseHeadersMiddleware:
    """The headers that Django does not set, on every answer there is."""

    HEADERS = {
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in self.HEADERS.items():
            response.headers.setdefault(name, value)
        # Static files bring their own; everything else may be somebody's page.
        if "max-age" not in response.headers.get("Cache-Control", "") or self.is_private(response):
            response["Cache-Control"] = "no-store"
        return response

    @staticmethod
    def is_private(response: HttpResponseBase) -> bool:
        return "private" in response.headers.get("Cache-Control", "")


class MemberRequiredMiddleware(LoginRequiredMiddleware):
    """Sign-in is needed unless a view says otherwise; htmx is told to leave the page."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        # Without `next` for htmx, which asked for a part, and for an address that holds a token.
        if getattr(request, "htmx", False) or holds_token(request.get_full_path()):
            return go_to(request, self.get_login_url(view_func))  # type: ignore[return-value]
        return super().handle_no_permission(request, view_func)
