"""The answers to a refused sign-in."""

from __future__ import annotations

import logging
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from estuary_admin.observability.metrics import SIGN_INS
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.refusals import NotBelieved, Reason
from estuary_admin.sso.sessions import end_session
from estuary_admin.web.client_address import client_address

logger = logging.getLogger("estuary_admin.sso")

AUDIT_REPEAT_SECONDS = 60  # one audit row per reason and address, so that nobody can fill it


def refused(request: HttpRequest, reason: Reason) -> HttpResponseBase:
    """End the session and give the reason. The request never continues as somebody else."""
    end_session(request, reason.code)
    return refusal_page(request, reason)


def refusal_page(request: HttpRequest, reason: Reason) -> HttpResponseBase:
    """Give the reason; an open session continues."""
    logger.warning("sso_refused", extra={"reason": reason.code})
    SIGN_INS.labels("sso-refused").inc()
    record_refusal(request, Event.REFUSED, reason)
    if getattr(request, "htmx", False):
        return reload_page()
    words = reason.explained(settings.SSO.mode)
    response = render(request, "sso/refused.html", {"reason": words}, status=403)
    patch_vary_headers(response, ["HX-Request"])
    return response


def record_refusal(request: HttpRequest, event: Event, reason: Reason) -> None:
    """Write an audit row, unless this client caused the same one a moment ago."""
    client = network_of(client_address(request))
    if cache.add(f"{event}:{reason.code}:{client}:{request.user.pk}", 1, AUDIT_REPEAT_SECONDS):
        tell(request, event, reason=reason.code)


def network_of(address: str) -> str:
    """The address, or the /64 of an IPv6 address: one client has all addresses of that."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ip_network((int(found), 64), strict=False))


def provider_refusal(request: HttpRequest, reason: Reason, *, is_proof: bool) -> HttpResponseBase:
    """Answer a failed return from the provider; a signed-in member stays signed in."""
    if not request.user.is_authenticated:
        return refusal_page(request, reason)
    if reason is NotBelieved.SIGN_IN_LOST:  # a second tab, the Back button, or a bookmark
        messages.info(request, "You are already signed in.")
        return redirect("home")
    record_refusal(request, Event.PROOF_FAILED if is_proof else Event.REFUSED, reason)
    context = {
        "reason": reason.explained(settings.SSO.mode),
        "account_url": reverse(settings.ACCOUNT_PAGE),
        "retry_url": reverse("account_reauthenticate") if is_proof else "",
    }
    return render(request, "sso/no_proof.html", context, status=403)


def reload_page() -> HttpResponse:
    """Make htmx load the whole page: it would swap this answer into a part of the old one."""
    response = HttpResponse(status=401, headers={"HX-Refresh": "true"})
    patch_vary_headers(response, ["HX-Request"])
    return response
