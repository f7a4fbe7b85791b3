"""Responses: whole pages for browsers, parts for htmx, and pages shown at once from what is kept.

A page that is shown at once names what it shows by a digest. The check that the browser makes
afterwards asks Estuary: when the digest is the same, it answers with the new time alone, else with
the whole page, from which `console.js` takes over what differs. So a page has one template,
whether it is checked or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django_htmx.http import reselect, reswap, retarget
from django_htmx.middleware import HtmxDetails

from keys.fetched import F
from keys.models import StoredToken

#: Without scripts, what is older is fetched again before it is shown.
REFRESH_SECONDS = 15


class AppRequest(HttpRequest):
    """A request that passed `signed_in` and, for `stored_token`, `connected`."""

    user: User
    htmx: HtmxDetails
    stored_token: StoredToken


def wants_part(request: HttpRequest) -> bool:
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted


def is_check(request: HttpRequest) -> bool:
    """Whether the browser asks if the page it shows at once is still right."""
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


@dataclass(frozen=True, slots=True)
class Shown(Generic[F]):
    """The data of a page, and the addresses of newer data, "" where not needed."""

    fetched: F
    digest: str
    check_url: str = ""
    reload_url: str = ""  # for browsers without scripts

    @property
    def is_checking(self) -> bool:
        return bool(self.check_url)


def shown_at_once(
    request: HttpRequest,
    kept: Callable[[], F | None],
    fetch: Callable[[], F],
    *,
    digest: Callable[[F], str],
    trusts_recent: bool,
) -> Shown[F]:
    """The kept answer, else Estuary's; the browser's check always asks Estuary.

    `trusts_recent`: what was fetched in the last 15 seconds is not checked.
    """
    asks = "fresh" in request.GET or is_check(request)
    known = None if asks else kept()
    if known is None:
        fetched = fetch()
        return Shown(fetched, digest(fetched))
    is_recent = known.age(timezone.now()) <= timedelta(seconds=REFRESH_SECONDS)
    seen = digest(known)
    if is_recent and trusts_recent:
        return Shown(known, seen)
    reload_url = "" if is_recent else _address(request, "fresh", "1")
    return Shown(known, seen, _address(request, "seen", seen), reload_url)


def unchanged(request: HttpRequest, shown: Shown[F], refresh_url: str) -> HttpResponse | None:
    """The answer to a check that found what the page shows already; None when it must change."""
    is_same = is_check(request) and request.GET["seen"] == shown.digest
    if not is_same or shown.fetched.is_stale:
        return None
    context = {"shown": shown, "refresh_url": refresh_url}
    return render(request, "keys/_freshness.html", context)


def _address(request: HttpRequest, name: str, value: str) -> str:
    parameters = request.GET.copy()
    parameters.pop("fresh", None)
    parameters[name] = value
    return f"{request.path}?{parameters.urlencode()}"
