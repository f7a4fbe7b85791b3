"""Devices and addresses that a member used before: wrong passwords of strangers do not stop them.

A signed cookie marks a browser in which members have signed in. The limit for wrong passwords
counts each known device and address apart from everybody else (OWASP: device cookies).
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TypedDict

from allauth.core.internal.ratelimit import truncate_ip
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from estuary_admin.security.models import KnownAddress
from estuary_admin.web.client_address import client_address

REMEMBERED_FOR = timedelta(days=180)
MAX_ADDRESSES = 20  # of one member
MAX_MEMBERS = 5  # in one browser


class Device(TypedDict):
    id: str
    members: list[int]


def known_source(request: HttpRequest, member: User | None) -> str:
    """Return a name for the device or address if this member used it before, or ""."""
    device = _device(request)
    if member and member.pk in device["members"]:
        return f"device:{device['id']}"
    address = _network(request)
    if member and address and KnownAddress.objects.filter(member=member, address=address).exists():
        return f"address:{address}"
    return ""


def remember(request: HttpRequest, member: User) -> None:
    """Remember the address, and have `mark_browser` mark the browser in the response."""
    request.signed_in_member = member  # type: ignore[attr-defined]
    if address := _network(request):
        now = timezone.now()
        own = KnownAddress.objects.filter(member=member)
        own.filter(last_used_at__lt=now - REMEMBERED_FOR).delete()
        own.update_or_create(
            address=address, defaults={"last_used_at": now}, create_defaults={"member": member}
        )
        latest = own.order_by("-last_used_at").values_list("pk", flat=True)[:MAX_ADDRESSES]
        own.exclude(pk__in=list(latest)).delete()


def mark_browser(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the cookie that marks the browser in which the member has just signed in."""
    member: User = request.signed_in_member  # type: ignore[attr-defined]
    device = _device(request)
    members = [member.pk, *(pk for pk in device["members"] if pk != member.pk)]
    response.set_cookie(
        _cookie_name(),
        signing.dumps({"id": device["id"], "members": members[:MAX_MEMBERS]}, salt=_cookie_name()),
        max_age=REMEMBERED_FOR,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _device(request: HttpRequest) -> Device:
    try:
        device: Device = signing.loads(
            request.COOKIES.get(_cookie_name(), ""), salt=_cookie_name(), max_age=REMEMBERED_FOR
        )
    except signing.BadSignature:
        return Device(id=secrets.token_urlsafe(9), members=[])
    return device


def _network(request: HttpRequest) -> str:
    """Return the address, or of IPv6 the network: devices change the rest of it daily."""
    network: str = truncate_ip(client_address(request))
    return network


def _cookie_name() -> str:
    return f"{settings.COOKIE_PREFIX}device"
