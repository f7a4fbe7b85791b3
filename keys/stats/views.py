"""The page that says how much the account stores."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.http import AppRequest, render_page
from keys.stats.services import current_stats


@require_safe
@connected
@upstream_errors_shown
def stats(request: AppRequest) -> HttpResponse:
    fetched = current_stats(request.stored_token, actor_of(request))
    context = {
        "stats": fetched,
        "average_size": fetched.average_size,
        "fetched_at": fetched.fetched_at,
        "stale_reason": fetched.stale_reason,
        "refresh_url": reverse("keys:stats"),
    }
    return render_page(request, "keys/stats.html", context)
