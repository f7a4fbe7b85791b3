"""The page that says how much the account stores."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from keys.access import connected, signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.http import AppRequest, render_page, shown_at_once, unchanged
from keys.stats import history
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
    span = history.span_in(request.GET.get("days", ""))
    if same := unchanged(request, shown, refresh_url):
        return same
    fetched = shown.fetched
    context = {
        "shown": shown,
        "stats": fetched,
        "fetched_at": fetched.fetched_at,
        "stale_reason": fetched.stale_reason,
        "refresh_url": refresh_url,
        "history": history.of_member(request.user, span),
        "spans": history.SPANS,
        "subject": "your account",
        "download_url": f"{reverse('keys:stats_download')}?days={span}",
    }
    return render_page(request, "keys/stats.html", context)


@require_safe
@signed_in
def stats_download(request: AppRequest) -> HttpResponse:
    """The samples of a span as CSV."""
    found = history.of_member(request.user, history.span_in(request.GET.get("days", "")))
    if request.method == "GET":
        record_action(actor_of(request), Action.STATS_DOWNLOADED, detail={"days": found.span})
    headers = {"Content-Disposition": content_disposition_header(True, "estuary-stats.csv") or ""}
    lines = history.csv_lines(found.points)
    return HttpResponse("".join(lines), content_type="text/csv; charset=utf-8", headers=headers)
