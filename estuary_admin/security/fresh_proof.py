"""Fresh proof: important actions require that the member has proved their identity recently.

A proof is the time of a password, passkey or code given here, of a provider's `auth_time`, or of
the assertion that a proxy sends with the request. The decorator `fresh_proof` marks the views.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import cast
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse

from estuary_admin.security import interrupted_forms
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.sessions import PROVED_AT
from estuary_admin.web.redirects import can_visit, go_to, page_before, page_of

View = Callable[..., HttpResponseBase]

DIALOG = "dialog="  # console.js has the same word
CLOCK_LEEWAY_SECONDS = 30  # the clock of a proxy or provider may be ahead of ours


def is_fresh(request: HttpRequest) -> bool:
    """Whether the last proof is younger than SUDO_MINUTES; always, if that is 0."""
    if not settings.SUDO_MINUTES:
        return True
    now = time.time()
    oldest = now - 60 * settings.SUDO_MINUTES
    # A proof from the future does not count: it would never expire.
    return any(oldest < at <= now + CLOCK_LEEWAY_SECONDS for at in _proof_times(request))


def _proof_times(request: HttpRequest) -> list[float]:
    own = request.session.get(PROVED_AT)
    from_proxy = getattr(getattr(request, "sso_proof", None), "at", None)
    return [
        *([float(own)] if own else []),
        *([from_proxy.timestamp()] if from_proxy else []),
    ]


def proof_given(request: HttpRequest, way: str) -> None:
    """Record that the member has just given a password, a passkey or a code."""
    request.session[PROVED_AT] = time.time()
    tell(request, Event.PROOF_GIVEN, way=way)


def fresh_proof(
    *,
    keep: tuple[str, ...] = (),
    keep_lists: tuple[str, ...] = (),
    keep_pasted: str = "",
    keeps_all: bool = True,
    back: str = "",
    when: Callable[[HttpRequest], bool] = lambda _: True,
) -> Callable[[View], View]:
    """Require a fresh proof before a view, for GET and POST.

    `keep` names the form fields to keep when the proof expires before the form is sent,
    `keep_lists` those with several values, and `keep_pasted` the one that a token is pasted into:
    from the others no token is kept. Without `keeps_all` there is more to fill in again.
    `back` names the page with the form, for a view that takes POST only.
    """

    fields = interrupted_forms.KeptFields(keep, keep_lists, keep_pasted, keeps_all)

    def decorator(view: View) -> View:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if is_fresh(request) or not when(request):
                response = view(request, *args, **kwargs)
                if request.method == "POST":
                    interrupted_forms.forget(request)  # the form has now been sent
                return response
            form_page = _form_page(request, back)
            if request.method == "POST":
                page, _, _ = form_page.partition("?")
                interrupted_forms.keep(request, page, fields)
            return _ask(request, form_page)

        wrapper.needs_proof = True  # type: ignore[attr-defined]
        wrapper.kept_fields = (*keep, *keep_lists)  # type: ignore[attr-defined]
        return cast(View, wrapper)

    return decorator


def _form_page(request: HttpRequest, back: str) -> str:
    """Return the page to come back to: the address itself if GET opens it."""
    if back:
        return resolve_url(back)
    if can_visit(request.path):
        return request.path
    return page_of(request) or resolve_url(settings.ACCOUNT_PAGE)


def _ask(request: HttpRequest, form_page: str) -> HttpResponseBase:
    """Redirect to the confirmation page. The action is not done, now or after the proof."""
    next_page, before = form_page, page_before(request)
    if request.method != "POST" and can_visit(request.get_full_path()):
        next_page = request.get_full_path()
        if before and getattr(request, "htmx", False):
            # console.js opens the dialog again, over the list as it was searched and filtered.
            next_page = f"{before}#{DIALOG}{next_page}"
    query = {"next": next_page} | ({"back": before} if before else {})
    return go_to(request, f"{reverse('account_reauthenticate')}?{urlencode(query)}")
