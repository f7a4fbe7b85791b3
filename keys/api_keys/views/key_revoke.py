"""Revoking one key: ask, act, and report what Estuary's list says afterwards."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists, revoke
from keys.api_keys.forms import KeyRevokeForm
from keys.api_keys.incidents import note_incident
from keys.api_keys.query import KeyQuery, list_url
from keys.api_keys.revoke_outcome import ENDED, Outcome, Revocation
from keys.api_keys.rows import name_of, rows_of
from keys.http import AppRequest, render_page
from keys.steps import steps_told

WORKS_ON = (
    " It may go on working for about 10 seconds, and on upload nodes that have seen it until it "
    "expires."
)
NOT_LISTED = (
    "{name} is not in your list at Estuary: it was already gone, or it is not yours. Nothing was "
    "done."
)
SENTENCES = {
    Outcome.REVOKED: "Revoked {name}.",
    Outcome.GONE: "{name} was already gone: Estuary did not list it any more.",
    Outcome.STILL_LISTED: "{name} is not revoked: Estuary still lists it. {sentence}",
    Outcome.UNKNOWN: "We do not know whether {name} was revoked. {sentence}",
}


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof(keep=("incident", "confirm_own"))
@upstream_errors_shown
@steps_told
def key_revoke(request: AppRequest, token_hash: str) -> HttpResponse:
    form = _form(request, token_hash)
    if form.is_valid():
        return _revoked(request, token_hash, form.cleaned_data.get("incident", ""))
    listed = key_lists.list_for(request.stored_token, actor_of(request), token_hash)
    key = listed.find(token_hash)
    if key is None:
        return tell_absence(request, token_hash, listed.doubt_about(token_hash))
    [row] = rows_of([key], request.stored_token.token_hash, listed.node_now(timezone.now()))
    context = {
        "row": row,
        "form": form,
        "clock_ahead": listed.clock_shift,
        "stale_reason": listed.stale_reason,
    }
    return render_page(request, "keys/key_revoke.html", context)


def _form(request: AppRequest, token_hash: str) -> KeyRevokeForm:
    """Asks for an incident note when the member comes from a token that was found somewhere."""
    kept = interrupted_forms.kept(request)
    return KeyRevokeForm(
        request.POST if request.method == "POST" else None,
        initial=kept,
        is_own=token_hash == request.stored_token.token_hash,
        is_incident="incident" in {*request.GET, *request.POST, *kept},
    )


def _revoked(request: AppRequest, token_hash: str, incident: str) -> HttpResponse:
    known = key_lists.last_known(request.stored_token)
    key = known.find(token_hash) if known else None
    had_ended = bool(known and key and key.is_expired(known.node_now(timezone.now())))
    result = revoke.revoke_key(actor_of(request), request.stored_token, token_hash)
    # Otherwise it may be the key of somebody else, whose note the member must not write or read.
    if incident and result.is_held:
        note_incident(actor_of(request), token_hash, incident)
    return tell_revocation(request, result, name_of(key, token_hash), had_ended=had_ended)


def sentence_of(result: Revocation, name: str, *, had_ended: bool = False) -> str:
    """The outcome in words; no node accepts a key that had ended before."""
    if result.outcome is Outcome.GONE and not result.is_held:
        return NOT_LISTED.format(name=name)
    text = SENTENCES[result.outcome].format(name=name, sentence=result.sentence).strip()
    return text + (WORKS_ON if result.outcome is Outcome.REVOKED and not had_ended else "")


def tell_revocation(
    request: AppRequest, result: Revocation, name: str, *, had_ended: bool = False
) -> HttpResponse:
    """Report the outcome on the page that shows it: the list, or the page to connect again."""
    text = sentence_of(result, name, had_ended=had_ended)
    messages.add_message(
        request,
        _level_of(result),
        f"{text} This console is disconnected from it." if result.is_disconnected else text,
        extra_tags="sticky",
    )
    return go_to(request, "keys:token_connect" if result.is_disconnected else _list_seen(request))


def _level_of(result: Revocation) -> int:
    if result.outcome is Outcome.GONE and not result.is_held:
        return messages.INFO
    return messages.SUCCESS if result.outcome in ENDED else messages.ERROR


def _list_seen(request: AppRequest) -> str:
    """The list, searched and filtered as it is behind the dialog."""
    try:
        seen = urlsplit(request.htmx.current_url_abs_path or "")
    except ValueError:  # a header such as "http://[::1"
        seen = urlsplit("")
    query = KeyQuery.from_params(QueryDict(seen.query if seen.path == list_url() else ""))
    return query.url(page=query.page)


def tell_absence(request: AppRequest, token_hash: str, doubt: str) -> HttpResponse:
    """Report that a key is not listed, or why that is not certain."""
    outcome = Outcome.UNKNOWN if doubt else Outcome.GONE
    result = Revocation(token_hash, outcome, doubt)
    return tell_revocation(request, result, name_of(None, token_hash))
