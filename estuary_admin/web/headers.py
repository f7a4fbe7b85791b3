"""Security headers for every response, and the rule that pages are not cached."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from keys.upstream.redaction import with_hashes

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
