"""The page of one key."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.prefill import address_like
from keys.api_keys.rotations import chain_of, open_request_for
from keys.api_keys.rows import KeyRow, rows_of
from keys.api_keys.views.key_revoke import tell_absence
from keys.audit import rows as audit_rows
from keys.fetched import digest_of
from keys.http import AppRequest, Shown, is_check, render_whole, shown_at_once, unchanged
from keys.models import KeyCreation, KeyNote, StoredToken
from keys.notes.views import note_context


@require_safe
@connected
@upstream_errors_shown
def key_detail(request: AppRequest, token_hash: str) -> HttpResponse:
    shown, refresh_url = _shown(request, token_hash), f"{request.path}?fresh=1"
    if same := unchanged(request, shown, refresh_url):
        return same
    listed = shown.fetched
    key = listed.find(token_hash)
    if key is None:
        return _not_listed(request, token_hash, listed.doubt_about(token_hash))
    [row] = rows_of([key], request.stored_token.token_hash, listed.node_now(timezone.now()))
    context = {
        "shown": shown,
        "refresh_url": refresh_url,
        "row": row,
        **_record_context(row),
        "audit_rows": audit_rows.of_key(token_hash),
        "chain": chain_of(token_hash),
        "own_hash": request.stored_token.token_hash,
        "rotation_request": open_request_for(token_hash),
        "revoke_url": row.revoke_url,
        "fetched_at": listed.fetched_at,
        "clock_ahead": listed.clock_shift,
        "clock_warning": listed.clock_warning,
        "stale_reason": listed.stale_reason,
    }
    return render_whole(request, "keys/key_detail.html", context)


def _record_context(row: KeyRow) -> dict[str, object]:
    """Our record and our note of the key, and the link to another key like it."""
    record = KeyCreation.objects.filter(token_hash=row.token_hash).first()
    context = note_context(row.token_hash)
    note = context["note"]
    purpose = note.purpose if isinstance(note, KeyNote) else ""
    # Estuary does not say how long a key was to live, except that it has no end.
    lifetime = record.lifetime if record else None if row.is_permanent else ""
    another_url = address_like(row.label, purpose, row.permission, lifetime)
    return {**context, "creation": record, "another_url": another_url}


def _shown(request: AppRequest, token_hash: str) -> Shown[Snapshot]:
    stored, actor = request.stored_token, actor_of(request)
    return shown_at_once(
        request,
        lambda: _kept_with(stored, token_hash),
        lambda: key_lists.current_list(stored, actor, reuse=False),
        digest=lambda listed: digest_of(listed.find(token_hash), listed.clock_warning),
        trusts_recent=True,
    )


def _kept_with(stored: StoredToken, token_hash: str) -> Snapshot | None:
    """The kept list if it has the key; only a fresh one can say that it is not there."""
    known = key_lists.last_known(stored)
    return known if known and known.find(token_hash) else None


def _not_listed(request: AppRequest, token_hash: str, doubt: str) -> HttpResponse:
    if doubt:
        return tell_absence(request, token_hash, doubt)
    if is_check(request):
        return go_to(request, request.path)  # where the page says that there is no such key
    raise Http404("Estuary does not list this key")
