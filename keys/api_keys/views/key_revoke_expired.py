"""Revoking all expired keys: ask, act, and report the outcome of each.

More than a few are a change to many keys, which the worker carries out.
"""

from __future__ import annotations

from collections import Counter

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import bulk, key_lists, revoke
from keys.api_keys.bulk_work import AT_ONCE
from keys.api_keys.query import KeyQuery, Status
from keys.api_keys.revoke_outcome import Outcome
from keys.api_keys.rows import expired_among, rows_of
from keys.http import AppRequest, render_page
from keys.models import BulkChange

MAX_NAMED_KEYS = 50  # on the page that asks


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof()
@upstream_errors_shown
def key_revoke_expired(request: AppRequest) -> HttpResponse:
    if request.method == "POST":
        return _expired_revoked(request)
    listed = key_lists.current_list(request.stored_token, actor_of(request), reuse=True)
    own_hash, now = request.stored_token.token_hash, timezone.now()
    expired = expired_among(listed.keys, own_hash, listed.earlier_now(now))
    named, unnamed = expired[:MAX_NAMED_KEYS], expired[MAX_NAMED_KEYS:]
    context = {
        "rows": rows_of(named, own_hash, listed.node_now(now)),
        "total": len(expired),
        "unnamed": len(unnamed),
        "logged": sum(key.needs_token for key in unnamed),
        "clock_ahead": listed.clock_shift,
        "clock_warning": listed.clock_warning,
        "stale_reason": listed.stale_reason,
    }
    return render_page(request, "keys/key_revoke_expired.html", context)


def _expired_revoked(request: AppRequest) -> HttpResponse:
    stored, actor = request.stored_token, actor_of(request)
    listed = key_lists.current_list(stored, actor, reuse=True)
    expired = expired_among(listed.keys, stored.token_hash, listed.earlier_now(timezone.now()))
    if len(expired) <= AT_ONCE or listed.is_stale:
        return _revoked_at_once(request)
    choice = bulk.Choice(query=KeyQuery(status=Status.EXPIRED))
    change = bulk.prepare(actor, stored, listed, BulkChange.Action.REVOKE, choice)
    bulk.start(actor, change, {}, [])
    return go_to(request, reverse("keys:bulk_change", args=[change.pk]))


def _revoked_at_once(request: AppRequest) -> HttpResponse:
    done, left = revoke.revoke_expired(actor_of(request), request.stored_token)
    rows = rows_of([key for key, _ in done], request.stored_token.token_hash, timezone.now())
    results = [
        {"row": row, "outcome": result.outcome, "sentence": result.sentence}
        for row, (_, result) in zip(rows, done, strict=True)
    ]
    counts = Counter(result.outcome for _, result in done)
    context = {"results": results, "counts": counts, "remaining": counts[Outcome.NOT_TRIED] + left}
    return render_page(request, "keys/key_revoke_expired.html", context)
