"""Responses: whole pages for browsers, parts of pages for htmx."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import reselect, reswap, retarget
from django_htmx.middleware import HtmxDetails

from keys.models import StoredToken


class AppRequest(HttpRequest):
    """A request that passed `signed_in` and, for `stored_token`, `connected`."""

    user: User
    htmx: HtmxDetails
    stored_token: StoredToken


def wants_part(request: HttpRequest) -> bool:
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted


def is_check(request: HttpRequest) -> bool:
    """Whether the browser asks if the page it shows at once is still right (`keys.freshness`)."""
    return wants_part(request) and "seen" in request.GET


def render_page(
    request: HttpRequest, page: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Render a page in full, or for htmx only its underscored body."""
    if is_check(request):
        return render_whole(request, page, context)
    if wants_part(request):
        # htmx shows no answer with an error's status.
        page, status = page.replace("keys/", "keys/_"), 200
    response = render(request, page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def render_whole(request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
    """Render a page in full, from which a check takes over what differs from the shown one."""
    response = render(request, page, context)
    if not is_check(request):
        return response
    return reswap(retarget(reselect(response, "#main"), "#main"), "patch")  # type: ignore[arg-type]


def render_trouble(
    request: HttpRequest, page: str, context: dict[str, Any], status: int
) -> HttpResponse:
    """Render trouble as a page, or for htmx as a notice that leaves the page unchanged."""
    response = render_page(request, page, context, status)
    if wants_part(request) and not is_check(request):
        return reswap(retarget(response, "#notices"), "innerHTML")
    return response
