"""Take the scheme of the client's connection from the proxies in TRUSTED_PROXIES."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from estuary_admin.web.client_address import is_trusted_proxy, normalised
from estuary_admin.web.unreadable_headers import report_unreadable

#: A proxy names the scheme of a WebSocket as well; it tells the same of the connection.
SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
LOOPBACK = {"127.0.0.1", "::1"}


class ForwardedSchemeMiddleware:
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
