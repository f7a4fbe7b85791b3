"""Fresh proof: acts that matter ask that the member has proved to be themselves lately.

A proof is a moment: of a password, passkey or code typed here, of a provider's `auth_time`, or of
the assertion that a proxy brings with the request. Views say by `fresh_proof` that they need one.
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
from estuary_admin.web.redirects import go_to
from keys.upstream.redaction import holds_token

View = Callable[..., HttpResponseBase]

PROVED_AT = "proved_at"  # in the session, as seconds
LEEWAY = 30  # seconds by which the clocks of who vouches may differ from ours


def is_fresh(request: HttpRequest) -> bool:
    """Whether the last proof is young enough; always, when SUDO_MINUTES is 0."""
    if not settings.SUDO_MINUTES:
        return True
    now = time.time()
    oldest = now - 60 * settings.SUDO_MINUTES
    # One from the future is none: it would be good for ever.
    return any(oldest < at <= now + LEEWAY for at in _proofs(request))


def _proofs(request: HttpRequest) -> list[float]:
    kept = request.session.get(PROVED_AT)
    brought = getattr(getattr(request, "sso_proof", None), "at", None)
    return [
        *([float(kept)] if kept else []),
        *([brought.timestamp()] if brought else []),
    ]


def proof_given(request: HttpRequest, way: str) -> None:
    """Here and now, by a password, a passkey or a code."""
    request.session[PROVED_AT] = time.time()
    tell(request, Event.PROOF_GIVEN, way=way)


def fresh_proof(
    *,
    keep: tuple[str, ...] = (),
    back: str = "",
    when: Callable[[HttpRequest], bool] = lambda _: True,
) -> Callable[[View], View]:
    """Ask for a proof before a view, be it shown or sent to.

    `keep` names the fields that are there again afterwards when the proof ran out meanwhile;
    `back` is the page that a view without one of its own is sent from.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if is_fresh(request) or not when(request):
                response = view(request, *args, **kwargs)
                if request.method == "POST":
                    interrupted_forms.forget(request)  # it was for this
                return response
            return ask(request, keep, resolve_url(back) if back else request.path)

        wrapper.needs_proof = True  # type: ignore[attr-defined]
        return cast(View, wrapper)

    return decorator


def ask(request: HttpRequest, keep: tuple[str, ...], there: str) -> HttpResponseBase:
    """Lead to the page that asks; nothing has been done, and after it nothing is done by itself."""
    if request.method == "POST":
        interrupted_forms.keep(request, there, keep)
    elif request.method == "GET" and not holds_token(request.get_full_path()):
        there = request.get_full_path()
    address = f"{reverse('account_reauthenticate')}?{urlencode({'next': there})}"
    return go_to(request, address)
