"""What every request must meet and every response gets, in the order of MIDDLEWARE."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlencode

import brotli
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import BadRequest, DisallowedHost
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import resolve_url
from django.urls import resolve
from django.utils.cache import patch_vary_headers

from estuary_admin.web.client_address import is_trusted_proxy, normalised
from estuary_admin.web.errors import error_page
from estuary_admin.web.redirects import go_to, page_of
from estuary_admin.web.unreadable_headers import report_unreadable
from keys.upstream.redaction import redact, with_hashes

logger = logging.getLogger("estuary_admin.request")

#: Pages load and send to their own origin only.
CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "img-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
}
RESPONSE_HEADERS = {
    "Content-Security-Policy": "; ".join(
        f"{name} {sources}" for name, sources in CONTENT_SECURITY_POLICY.items()
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class ResponseHeadersMiddleware:
    """Security headers for every response, and the rule that pages are not cached."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if "Location" in response.headers:
            # Redirects to https, to a slash or to a `next` repeat what was asked for.
            response["Location"] = with_hashes(response["Location"])
        for name, value in RESPONSE_HEADERS.items():
            response.headers.setdefault(name, value)
        # Static files set their own; any other response may hold a member's data.
        if not is_cacheable(response):
            response["Cache-Control"] = "no-store"
        return response


def is_cacheable(response: HttpResponseBase) -> bool:
    rules = response.headers.get("Cache-Control", "")
    return "max-age" in rules and "private" not in rules


class ErrorPagesMiddleware:
    """Give a refused method a page; Django answers it without a body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 405 or not _is_empty(response):
            return response
        page = error_page(request, 405)
        page["Allow"] = response.get("Allow", "")
        return page


def _is_empty(response: HttpResponseBase) -> bool:
    return isinstance(response, HttpResponse) and not response.content


PROBE_PATHS = {"/healthz", "/readyz", "/metrics"}


class ProbeMiddleware:
    """Answer probes here: they carry any Host, speak http, and need no session.

    An orchestrator asks a process by its own address, which ALLOWED_HOSTS does not hold.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info not in PROBE_PATHS:
            return self.get_response(request)
        match = request.resolver_match = resolve(request.path_info)
        response: HttpResponseBase = match.func(request)
        return response


#: A proxy names the scheme of a WebSocket as well; it tells the same of the connection.
SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
LOOPBACK = {"127.0.0.1", "::1"}


class ForwardedSchemeMiddleware:
    """Take the scheme of the client's connection from the proxies in TRUSTED_PROXIES."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scheme = forwarded_scheme(request) if peer_may_set_the_scheme(request) else ""
        if scheme:
            request.META["wsgi.url_scheme"] = scheme
        return self.get_response(request)


def peer_may_set_the_scheme(request: HttpRequest) -> bool:
    peer = request.META.get("REMOTE_ADDR", "")
    if not peer:  # a unix socket, which only the proxy can open
        return True
    return is_trusted_proxy(peer) if settings.TRUSTED_PROXIES else normalised(peer) in LOOPBACK


def forwarded_scheme(request: HttpRequest) -> str:
    """The scheme, or "" when no header tells it.

    In a chain each proxy may add its value, and often only one of them ends TLS: one `https` is
    enough. A client that forges it gains nothing but the loss of its own redirect to https.
    """
    header = str(request.META.get("HTTP_X_FORWARDED_PROTO", ""))
    values = {value.strip().strip('"').lower() for value in header.split(",")} - {""}
    if unreadable := values - SCHEMES.keys():
        report_unreadable("X-Forwarded-Proto", ", ".join(sorted(unreadable)))
    schemes = {SCHEMES[value] for value in values & SCHEMES.keys()}
    if schemes:
        return "https" if "https" in schemes else "http"
    # Older names of the same; where both are sent, X-Forwarded-Proto counts.
    is_https = {
        str(request.META.get("HTTP_X_FORWARDED_SSL", "")).strip().lower() == "on",
        str(request.META.get("HTTP_X_FORWARDED_PROTOCOL", "")).strip().lower() in {"https", "ssl"},
    }
    return "https" if any(is_https) else ""


class RequestCheckMiddleware:
    """Refuse other hosts than ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_allowed_host(request):
            return error_page(request, 400)
        return self.get_response(request)


def is_allowed_host(request: HttpRequest) -> bool:
    """Log another host in one line, where Django would log a traceback."""
    try:
        request.get_host()
    except DisallowedHost:
        # A token typed as the host arrives in lower case.
        host = redact(str(request.META.get("HTTP_HOST", "")).upper()).lower()
        extra = {"request_id": getattr(request, "request_id", "-"), "reason": ascii(host)[:100]}
        logger.warning("host_refused", extra=extra)
        return False
    return True


class RefuseUploads(FileUploadHandler):
    """No form here has a file, and Django's own handlers write files to disk."""

    def new_file(self, *_: Any, **__: Any) -> NoReturn:
        """Stop the parser before it reads the first byte of the file."""
        raise BadRequest("a file was uploaded")

    def file_complete(self, file_size: int) -> None:
        """Never called, because no file begins."""


#: `Sec-Fetch-Site` of requests that no other site can cause.
OWN_SITE = {"same-origin", "none"}
#: A small page arrives in one round trip anyway: level 3 takes a third of the time of level 5.
SMALL_PAGE_BYTES, SMALL_PAGE_QUALITY, LARGE_PAGE_QUALITY = 24 * 1024, 3, 5
BROTLI_WINDOW = 16  # 64 KiB: more than nearly any page has, and quick to allocate


class CompressionMiddleware(GZipMiddleware):
    """Compress pages, except those another site asked for: see BREACH in docs/security.md.

    Brotli, or Django's gzip, for GET only: the response to a POST may hold a new key's token.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_page or request.method != "GET" or not isinstance(response, HttpResponse):
            return response
        patch_vary_headers(response, ["Accept-Encoding", "Sec-Fetch-Site"])
        if request.headers.get("Sec-Fetch-Site") not in OWN_SITE:
            return response
        if "br" not in _encodings(request) or len(response.content) < 200:
            return super().process_response(request, response)
        is_small = len(response.content) < SMALL_PAGE_BYTES
        quality = SMALL_PAGE_QUALITY if is_small else LARGE_PAGE_QUALITY
        response.content = brotli.compress(response.content, quality=quality, lgwin=BROTLI_WINDOW)
        response["Content-Encoding"] = "br"
        response["Content-Length"] = str(len(response.content))
        return response


def _encodings(request: HttpRequest) -> list[str]:
    return [name.strip() for name in request.headers.get("Accept-Encoding", "").split(",")]


class MemberRequiredMiddleware(LoginRequiredMiddleware):
    """Require sign-in on every view that is not marked `login_not_required`."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        if SESSION_KEY in request.session:
            # The member is switched off. Switched on again, this session must not work.
            request.session.flush()
        address = resolve_url(self.get_login_url(view_func))
        if page := page_of(request):
            address = f"{address}?{urlencode({'next': page}, safe='/')}"
        return go_to(request, address)  # type: ignore[return-value]
