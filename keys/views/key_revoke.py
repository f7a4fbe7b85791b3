"""Revoking one key, or all expired ones: ask, act, and say what Estuary's list says after it."""

from __future__ import annotations

from collections import Counter

from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from keys.actors import actor_of
from keys.decorators import connected, upstream_errors_shown
from keys.forms import KeyRevokeForm
from keys.http import AppRequest, go_to, render_page
from keys.key_query import Status
from keys.services import api_keys, key_lists
from keys.services.api_keys import Outcome, Revocation
from keys.services.key_rows import KeyRow, rows_of, status_of

ENDED = {
    Outcome.REVOKED: "Revoked {label}. It may go on working for about 10 seconds, and on upload "
    "nodes that have seen it until it expires.",
    Outcome.GONE: "{label} was already gone: Estuary did not list it any more.",
}


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@upstream_errors_shown
def key_revoke(request: AppRequest, token_hash: str) -> HttpResponse:
    listed = key_lists.current_list(request.stored_token, actor_of(request), reuse=True)
    key = listed.find(token_hash)
    if key is None:
        return _ended(request, Revocation(token_hash, Outcome.GONE), f"Key {token_hash[:8]}")
    [row] = rows_of([key], request.stored_token.token_hash, timezone.now())
    form = KeyRevokeForm(request.POST if request.method == "POST" else None)
    context = {"row": row, "form": form, "stale_reason": listed.stale_reason}
    if request.method != "POST" or (row.is_own and not form.is_valid()):
        return render_page(request, "keys/key_revoke.html", context)
    result = api_keys.revoke_key(actor_of(request), request.stored_token, token_hash)
    if result.outcome not in ENDED:
        context |= {"outcome": result.outcome, "sentence": result.sentence}
        return render_page(request, "keys/key_revoke.html", context)
    return _ended(request, result, f"“{row.label}”" if row.label else f"Key {row.fingerprint}")


def _ended(request: AppRequest, result: Revocation, label: str) -> HttpResponse:
    messages.success(request, ENDED[result.outcome].format(label=label), extra_tags="sticky")
    if result.token_hash == request.stored_token.token_hash:
        return go_to(request, "keys:token_connect")
    return go_to(request, "keys:key_list")


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@upstream_errors_shown
def key_revoke_expired(request: AppRequest) -> HttpResponse:
    if request.method != "POST":
        listed = key_lists.current_list(request.stored_token, actor_of(request), reuse=True)
        context = {"rows": _expired_rows(request, listed), "stale_reason": listed.stale_reason}
        return render_page(request, "keys/key_revoke_expired.html", context)
    # Asked anew: only what Estuary calls expired now is revoked.
    listed = key_lists.current_list(request.stored_token, actor_of(request), reuse=False)
    rows = _expired_rows(request, listed)
    done = api_keys.revoke_keys(actor_of(request), request.stored_token, [row.key for row in rows])
    by_hash = {result.token_hash: result for result in done}
    results = [
        {
            "row": row,
            "outcome": by_hash[row.token_hash].outcome,
            "sentence": by_hash[row.token_hash].sentence,
        }
        for row in rows
    ]
    counts = Counter(result.outcome for result in done)
    return render_page(
        request,
        "keys/key_revoke_expired.html",
        {"results": results, "counts": counts, "remaining": counts[Outcome.NOT_TRIED]},
    )


def _expired_rows(request: AppRequest, listed: key_lists.Snapshot) -> list[KeyRow]:
    now = timezone.now()
    expired = [
        key for key in listed.keys if status_of(key, now) is Status.EXPIRED and not key.is_session
    ]
    return rows_of(expired, request.stored_token.token_hash, now)
