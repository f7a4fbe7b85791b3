"""The list of keys, and one key."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.query import KeyQuery, Status, new_hash_in
from keys.api_keys.records import is_new
from keys.api_keys.rows import rows_of
from keys.api_keys.table import KeyTable, table_of
from keys.api_keys.views.key_revoke import tell_absence
from keys.audit import rows as audit_rows
from keys.http import AppRequest, render_page
from keys.models import KeyCreation
from keys.upstream import fingerprint_of, hash_of
from keys.upstream.redaction import pasted_token


@require_safe
@connected
@upstream_errors_shown
def key_list(request: AppRequest) -> HttpResponse:
    query = KeyQuery.from_params(request.GET)
    if token := pasted_token(query.q):
        return _searched_for_a_token(request, query, token)
    # A bare address is a new look; anything asked of the list is asked of the same list.
    reuse = bool(request.GET) and "fresh" not in request.GET
    listed = key_lists.current_list(request.stored_token, actor_of(request), reuse=reuse)
    own_hash = request.stored_token.token_hash
    new_hash = _new_hash(request)
    table = table_of(listed.keys, query, own_hash, timezone.now(), new_hash)
    context = _context(query, listed, table) | {"missing": _missing(new_hash, listed)}
    return render_page(request, "keys/key_list.html", context)


def _new_hash(request: AppRequest) -> str:
    """That of the new key from which one comes; an address alone makes none new."""
    said = new_hash_in(request.GET)
    return said if said and is_new(request.user, said, timezone.now()) else ""


def _missing(new_hash: str, listed: Snapshot) -> str:
    """The fingerprint of a new key that a whole list of now does not have."""
    is_whole = not listed.stale_reason and not listed.unreadable
    return "" if not is_whole or listed.find(new_hash) else fingerprint_of(new_hash)


def _context(query: KeyQuery, listed: Snapshot, table: KeyTable) -> dict[str, Any]:
    return {
        "list_query": query,
        "table": table,
        "page": table.page,
        "chips": table.chips,
        "label_sort": table.label_sort,
        "expiry_sort": table.expiry_sort,
        "fetched_at": listed.fetched_at,
        "refresh_url": query.fresh_url(),
        "stale_reason": listed.stale_reason,
        "unreadable": listed.unreadable,
        "expired_count": table.counts[Status.EXPIRED],
        "legacy_count": table.counts[Status.LEGACY],
        "has_keys": bool(listed.keys),
        "clear_url": KeyQuery().url(),
    }


def _searched_for_a_token(request: AppRequest, query: KeyQuery, token: str) -> HttpResponse:
    messages.warning(
        request,
        "You searched for a whole token. It now stands in your browser's history, so clear that. "
        "Here is what the list has under its fingerprint.",
        extra_tags="sticky",
    )
    return go_to(request, query.url(q=fingerprint_of(hash_of(token))))


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
    [row] = rows_of([key], request.stored_token.token_hash, timezone.now())
    made_here = KeyCreation.objects.filter(token_hash=token_hash).first()
    context = {
        "row": row,
        "creation": made_here,
        "audit_rows": audit_rows.of_key(token_hash),
        "revoke_url": row.revoke_url,
        "fetched_at": listed.fetched_at,
        "stale_reason": listed.stale_reason,
    }
    return render(request, "keys/key_detail.html", context)
