"""The page that says how much the account stores."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.freshness import shown_at_once, unchanged
from keys.http import AppRequest, render_page
from keys.stats.services import current_stats, last_known


@require_safe
@connected
@upstream_errors_shown
def stats(request: AppRequest) -> HttpResponse:
    stored, refresh_url = request.stored_token, f"{reverse('keys:stats')}?fresh=1"
    shown = shown_at_once(
        request,
        lambda: last_known(stored),
        lambda: current_stats(stored, actor_of(request)),
        digest=lambda figures: figures.digest,
        trusts_recent=False,
    )
    if same := unchanged(request, shown, refresh_url):
        return same
    fetched = shown.fetched
    context = {
        "shown": shown,
        "stats": fetched,
        "average_size": fetched.average_size,
        "fetched_at": fetched.fetched_at,
        "stale_reason": fetched.stale_reason,
        "refresh_url": refresh_url,
    }
    return render_page(request, "keys/stats.html", context)
