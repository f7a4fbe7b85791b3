"""`/metrics`: closed, unless the settings name a network or a token that may read it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from estuary_admin.observability.metrics.registry import exposition
from estuary_admin.secrets.shared_secrets import is_one_of
from estuary_admin.web.client_address import client_address, comes_from_proxy
from estuary_admin.web.networks import is_within


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    # Whoever may not read it learns nothing of it.
    if not (bears_token(request) or is_from_monitor(request)):
        raise Http404
    body, content_type = exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def bears_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and is_one_of(given.strip(), settings.METRICS_TOKENS)


def is_from_monitor(request: HttpRequest) -> bool:
    """By its address, which a proxy that we do not know would hide behind its own."""
    is_handed_on = {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"} & request.META.keys()
    if is_handed_on and not comes_from_proxy(request):
        return False
    return is_within(client_address(request), settings.METRICS_ALLOWED)
