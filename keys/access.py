"""Access to views, declared on the view, and the pages for trouble with Estuary."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpRequest, HttpResponseBase

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.web.redirects import go_to
from keys.http import AppRequest, render_trouble
from keys.throttles import TooOften
from keys.token import stored_tokens
from keys.upstream import RateLimited, UpstreamError, UpstreamUnavailable

logger = logging.getLogger("estuary_admin.keys")

View = Callable[..., HttpResponseBase]


def signed_in(view: View) -> View:
    """For every member. MemberRequiredMiddleware checks it; the decorator states it for tests."""
    view.access = "member"  # type: ignore[attr-defined]
    return view


def connected(view: View) -> View:
    """For members with a stored token, which the view finds at `request.stored_token`."""

    @wraps(view)
    def wrapper(request: AppRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            request.stored_token = stored_tokens.of_member(request.user)
        except stored_tokens.NotConnected:
            return go_to(request, "keys:token_connect")
        return view(request, *args, **kwargs)

    return signed_in(cast(View, wrapper))


def upstream_errors_shown(view: View) -> View:
    """Show trouble with Estuary, or with the stored token, as a page that says what to do."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except UpstreamError as error:
            logger.warning("upstream_error", extra={"reason": error.code})
            return _upstream_error(request, error)
        except TooOften as refusal:
            return _too_often(request, refusal)
        except stored_tokens.NotConnected:
            return go_to(request, "keys:token_connect")
        except SealBroken:
            logger.error("stored_token_unreadable", extra={"member": request.user.pk})  # noqa: TRY400
            return render_trouble(request, "keys/token_unreadable.html", {}, 500)

    return cast(View, wrapper)


def _upstream_error(request: HttpRequest, error: UpstreamError) -> HttpResponseBase:
    status = 429 if isinstance(error, RateLimited) else 502
    response = render_trouble(
        request,
        "keys/upstream_error.html",
        {
            "title": _title(error),
            "sentence": error.sentence,
            "is_about_token": error.is_about_token,
            # A POST may have been carried out, so there is no link that repeats it.
            "retry_url": request.get_full_path() if request.method == "GET" else "",
        },
        status,
    )
    if isinstance(error, RateLimited) and error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def _too_often(request: HttpRequest, refusal: TooOften) -> HttpResponseBase:
    context = {"title": "Too many changes", "sentence": f"Nothing was changed. {refusal.sentence}"}
    response = render_trouble(request, "keys/upstream_error.html", context, 429)
    response["Retry-After"] = str(refusal.wait)
    return response


def _title(error: UpstreamError) -> str:
    if error.is_about_token:
        return "Estuary refuses your key"
    if isinstance(error, RateLimited):
        return "Estuary is busy"
    # A node that answers something unexpected was reached.
    is_away = isinstance(error, UpstreamUnavailable)
    return "Estuary unreachable" if is_away else "Trouble with Estuary"
