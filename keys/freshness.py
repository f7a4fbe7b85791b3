"""Pages that are shown at once from what is kept, and the check that the browser makes afterwards.

The page names what it shows by a digest. The check asks Estuary: when the digest is the same, it
answers with the new time alone, else with the whole page, from which `console.js` takes over what
differs. So a page has one template, whether it is checked or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from keys.fetched import F
from keys.http import is_check

#: Without scripts, what is older is fetched again before it is shown.
REFRESH_SECONDS = 15


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
