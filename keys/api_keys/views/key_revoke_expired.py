"""Revoking all expired keys: one of the changes to many keys, at an address of its own."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys import throttles
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import bulk, key_lists
from keys.api_keys.forms import BulkForm
from keys.audit.vocabulary import Action
from keys.http import AppRequest, render_page
from keys.models import BulkChange


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof()
@upstream_errors_shown
def key_revoke_expired(request: AppRequest) -> HttpResponse:
    stored, actor = request.stored_token, actor_of(request)
    if change := bulk.expired_under_way(request.user):
        return go_to(request, _page_of(change))
    listed = key_lists.current_list(stored, actor, reuse=True)
    planned = bulk.plan(actor, stored, listed, BulkChange.Action.REVOKE, bulk.EXPIRED)
    if request.method == "POST" and listed.is_stale:
        messages.error(request, f"Nothing was changed. {listed.stale_reason}")
    elif request.method == "POST" and planned.progress.open:
        throttles.check(actor, Action.BULK_STARTED)
        bulk.start(actor, bulk.write(planned), {}, [])
        return go_to(request, _page_of(planned.change))
    context = {
        "change": planned.change,
        "progress": planned.progress,
        "items": planned.items[: bulk.MAX_NAMES_SHOWN],
        "logged": bulk.logged_among(planned.items),
        "left_out": planned.left_out,
        "form": BulkForm(),
        "action_url": reverse("keys:key_revoke_expired"),
        "clock_warning": listed.clock_warning,
        "stale_reason": listed.stale_reason,
    }
    return render_page(request, "keys/key_revoke_expired.html", context)


def _page_of(change: BulkChange) -> str:
    return reverse("keys:bulk_change", args=[change.pk])
