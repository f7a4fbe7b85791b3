"""The address of the client; X-Forwarded-For counts only from TRUSTED_PROXIES."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest

from estuary_admin.web.networks import is_within, plain
from estuary_admin.web.unreadable_headers import report_unreadable

#: `203.0.113.5`, `203.0.113.5:51234`, `[2001:db8::7]:443` and, as the last, `2001:db8::7`.
ADDRESS_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{0,5})?|([\d.]+)(?::\d{0,5})?")


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not in TRUSTED_PROXIES, or "" behind a unix socket."""
    nearest = normalised(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    while hops and is_trusted_proxy(nearest):
        hop = hops.pop().strip()
        address = forwarded_address(hop)
        if not address:
            if hop:
                report_unreadable("X-Forwarded-For", hop)
            break
        nearest = address
    return nearest


def forwarded_address(text: str) -> str:
    """The address in one value of X-Forwarded-For, without port, brackets and quotes, or ""."""
    text = text.strip().strip('"')
    match = ADDRESS_WITH_PORT.fullmatch(text)
    return normalised(match[1] or match[2] if match else text)


def normalised(address: str) -> str:
    """The address in its one spelling, or "" for anything else."""
    try:
        return plain(address)
    except ValueError:
        return ""


def is_trusted_proxy(address: str) -> bool:
    return is_within(address, settings.TRUSTED_PROXIES)


def comes_from_proxy(request: HttpRequest) -> bool:
    """Whether one of TRUSTED_PROXIES forwarded the request, so that its headers count."""
    return is_trusted_proxy(request.META.get("REMOTE_ADDR", ""))
