"""The answers to a refused sign-in."""

from __future__ import annotations

import logging

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from estuary_admin.observability.metrics import SIGN_INS
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.refusals import Reason
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
    address = client_address(request)
    if cache.add(f"sso-refused:{reason.code}:{address}", 1, AUDIT_REPEAT_SECONDS):
        tell(request, Event.REFUSED, reason=reason.code)
    if getattr(request, "htmx", False):
        return reload_page()
    response = render(request, "sso/refused.html", {"reason": reason}, status=403)
    patch_vary_headers(response, ["HX-Request"])
    return response


def reload_page() -> HttpResponse:
    """Make htmx load the whole page: it would swap this answer into a part of the old one."""
    response = HttpResponse(status=401, headers={"HX-Refresh": "true"})
    patch_vary_headers(response, ["HX-Request"])
    return response
