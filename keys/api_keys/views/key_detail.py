"""The page of one key."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists
from keys.api_keys.rows import rows_of
from keys.api_keys.views.key_revoke import tell_absence
from keys.audit import rows as audit_rows
from keys.http import AppRequest
from keys.models import KeyCreation
from keys.notes.views import note_context


@require_safe
@connected
@upstream_errors_shown
def key_detail(request: AppRequest, token_hash: str) -> HttpResponse:
    listed = key_lists.list_for(request.stored_token, actor_of(request), token_hash)
    key = listed.find(token_hash)
    if key is None and listed.doubt:
        return tell_absence(request, token_hash, listed.doubt)
    if key is None:
        raise Http404("Estuary does not list this key")
    [row] = rows_of([key], request.stored_token.token_hash, listed.node_now(timezone.now()))
    context = {
        "row": row,
        "creation": KeyCreation.objects.filter(token_hash=token_hash).first(),
        "audit_rows": audit_rows.of_key(token_hash),
        "revoke_url": row.revoke_url,
        "fetched_at": listed.fetched_at,
        "clock_ahead": listed.clock_shift,
        "clock_warning": listed.clock_warning,
        "stale_reason": listed.stale_reason,
        **note_context(token_hash),
    }
    return render(request, "keys/key_detail.html", context)
