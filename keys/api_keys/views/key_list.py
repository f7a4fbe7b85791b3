"""The list of keys."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from estuary_admin.members import is_admin
from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.query import KeyQuery, new_hash_in
from keys.api_keys.rows import expired_among, is_new
from keys.api_keys.table import KeyTable, table_of
from keys.http import AppRequest, Shown, render_page, shown_at_once, unchanged
from keys.pasted_tokens import token_in
from keys.upstream import fingerprint_of, hash_of


@require_safe
@connected
@upstream_errors_shown
def key_list(request: AppRequest) -> HttpResponse:
    query = KeyQuery.from_params(request.GET)
    if query.q and (token := token_in([query.q])):
        return _searched_for_token(request, query, token)
    shown = _shown(request)
    if same := unchanged(request, shown, query.fresh_url()):
        return same
    listed, own_hash, now = shown.fetched, request.stored_token.token_hash, timezone.now()
    new_hash, ended_by = _new_hash(request), listed.earlier_now(now)
    node_now, admin = listed.node_now(now), is_admin(request.user)
    table = table_of(
        listed.index, query, own_hash, node_now, new_hash, member=request.user, is_admin=admin
    )
    context = _context(query, listed, table) | {
        "shown": shown,
        "missing": "" if shown.is_checking else _missing(new_hash, listed),
        "expired_count": len(expired_among(listed.index.ended(ended_by), own_hash, ended_by)),
    }
    return render_page(request, "keys/key_list.html", context)


def _shown(request: AppRequest) -> Shown[Snapshot]:
    """A bare address is always checked; a filter or a page reuses a recent list."""
    stored = request.stored_token
    return shown_at_once(
        request,
        lambda: key_lists.last_known(stored),
        lambda: key_lists.current_list(stored, actor_of(request), reuse=False),
        digest=lambda listed: listed.digest,
        trusts_recent=bool(request.GET),
    )


def _new_hash(request: AppRequest) -> str:
    """The hash in the address, if this member has just created its key; "" otherwise."""
    asked = new_hash_in(request.GET)
    return asked if asked and is_new(request.user, asked, timezone.now()) else ""


def _missing(new_hash: str, listed: Snapshot) -> str:
    """The fingerprint of a new key that a fresh and complete list does not hold."""
    is_whole = not listed.stale_reason and not listed.unreadable
    return "" if not is_whole or listed.find(new_hash) else fingerprint_of(new_hash)


def _context(query: KeyQuery, listed: Snapshot, table: KeyTable) -> dict[str, Any]:
    return {
        "list_query": query,
        "search_fields": query.search_fields(),
        "table": table,
        "page": table.page,
        "fetched_at": listed.fetched_at,
        "clock_ahead": listed.clock_shift,
        "clock_warning": listed.clock_warning,
        "refresh_url": query.fresh_url(),
        "stale_reason": listed.stale_reason,
        "unreadable": listed.unreadable,
        "has_keys": bool(listed.keys),
        "clear_url": KeyQuery().url(),
    }


def _searched_for_token(request: AppRequest, query: KeyQuery, token: str) -> HttpResponse:
    messages.warning(
        request,
        "You searched for a whole token. It is now in your browser's history, so clear that. "
        "Here is what the list has under its fingerprint.",
        extra_tags="sticky",
    )
    return go_to(request, query.url(q=fingerprint_of(hash_of(token))))
