"""The page that an admin opens in the morning."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from estuary_admin.members import admins_only
from keys.audit.rows import as_rows
from keys.http import AppRequest, render_page
from keys.models import AuditEntry
from keys.stats import history
from keys.team.overview import LATEST_EVENTS, cards


@require_safe
@admins_only
def overview(request: AppRequest) -> HttpResponse:
    span = history.span_in(request.GET.get("days", ""))
    context = {
        "cards": cards(),
        "history": history.of_team(span),
        "spans": history.SPANS,
        "events": as_rows(AuditEntry.objects.order_by("-pk")[:LATEST_EVENTS]),
        "subject": "the team",
    }
    return render_page(request, "keys/overview.html", context)
