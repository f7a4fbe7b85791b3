"""The address of the client; X-Forwarded-For counts only from TRUSTED_PROXIES."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

from estuary_admin.web.networks import is_within, plain


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not in TRUSTED_PROXIES, or "" behind a unix socket."""
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    hops.append(request.META.get("REMOTE_ADDR", ""))
    nearest = ""
    for hop in reversed(hops):
        if not is_address(hop):
            break
        nearest = plain(hop)
        if not is_trusted_proxy(hop):
            break
    return nearest


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_trusted_proxy(address: str) -> bool:
    return is_within(address, settings.TRUSTED_PROXIES)


def comes_from_proxy(request: HttpRequest) -> bool:
    """Whether one of TRUSTED_PROXIES forwarded the request, so that its headers count."""
    return is_trusted_proxy(request.META.get("REMOTE_ADDR", ""))
