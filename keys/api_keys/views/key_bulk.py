"""Changes to many keys: preview, start, progress and results."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from estuary_admin.secrets.no_token_fields import looks_like_token
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import bulk, key_lists
from keys.api_keys.forms import BulkForm, BulkNoteForm, BulkRemindForm
from keys.api_keys.query import HASH, KeyQuery
from keys.http import AppRequest, render_page
from keys.jobs.status import worker_status
from keys.models import BulkChange
from keys.throttles import TooOften

FORMS: dict[str, type[BulkForm]] = {
    BulkChange.Action.REVOKE: BulkForm,
    BulkChange.Action.NOTE: BulkNoteForm,
    BulkChange.Action.REMIND: BulkRemindForm,
}
NOTE_FIELDS = tuple(BulkNoteForm.base_fields)
VERBS: dict[str, str] = {
    BulkChange.Action.REVOKE: "Revoke",
    BulkChange.Action.NOTE: "Set the notes of",
    BulkChange.Action.REMIND: "Set the reminders of",
}


@require_POST
@connected
@upstream_errors_shown
def key_bulk(request: AppRequest) -> HttpResponse:
    choice, action = _choice(request), request.POST.get("action", "")
    if action not in FORMS or not (choice.hashes or choice.query):
        messages.warning(request, "Nothing was changed. Tick at least one key first.")
        return go_to(request, _list_seen(request))
    listed = key_lists.current_list(request.stored_token, actor_of(request), reuse=True)
    if listed.stale_reason:
        messages.error(request, f"Nothing was changed. {listed.stale_reason}")
        return go_to(request, _list_seen(request))
    planned = bulk.plan(actor_of(request), request.stored_token, listed, action, choice)
    return _page(request, bulk.write(planned), FORMS[action](), planned.left_out)


def _list_seen(request: HttpRequest) -> str:
    """The list as it was filtered; a text that holds a token must not get into an address."""
    query = KeyQuery.from_params(request.POST)
    return query.url(q="") if looks_like_token(query.q) else query.url()


def _choice(request: HttpRequest) -> bulk.Choice:
    if request.POST.get("all_found"):
        return bulk.Choice(query=KeyQuery.from_params(request.POST))
    hashes = [one for one in request.POST.getlist("key") if re.fullmatch(HASH, one)]
    return bulk.Choice(tuple(dict.fromkeys(hashes)))


def _change(request: AppRequest, number: UUID) -> BulkChange:
    try:
        return bulk.change_of(request.user, number)
    except BulkChange.DoesNotExist:
        raise Http404("This member has no such change") from None


def _is_post(request: HttpRequest) -> bool:
    return request.method == "POST"


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_proof(keep=NOTE_FIELDS, keep_lists=("days",), when=_is_post)
@upstream_errors_shown
def bulk_change(request: AppRequest, number: UUID) -> HttpResponse:
    change = _change(request, number)
    form = FORMS.get(change.action, BulkForm)(
        request.POST if _is_post(request) else None,
        initial=interrupted_forms.kept(request),
    )
    if not _is_post(request) or not form.is_valid():
        return _page(request, change, form)
    try:
        bulk.start(actor_of(request), change, form.note_to_set, form.days_to_set)
    except TooOften as error:
        form.add_error(None, f"Nothing was changed. {error.sentence}")
        return _page(request, change, form)
    return go_to(request, reverse("keys:bulk_change", args=[number]))


@require_POST
@signed_in
def bulk_cancel(request: AppRequest, number: UUID) -> HttpResponse:
    bulk.cancel(actor_of(request), _change(request, number))
    return go_to(request, reverse("keys:bulk_change", args=[number]))


@require_POST
@signed_in
@fresh_proof()
@upstream_errors_shown
def bulk_retry(request: AppRequest, number: UUID) -> HttpResponse:
    bulk.retry(actor_of(request), _change(request, number))
    return go_to(request, reverse("keys:bulk_change", args=[number]))


def _page(
    request: AppRequest, change: BulkChange, form: BulkForm, left_out: int = 0
) -> HttpResponse:
    progress = bulk.progress_of(change)
    is_waiting_for_worker = progress.state == "queued" and worker_status().is_asleep
    context: dict[str, Any] = {
        "change": change,
        "progress": progress,
        "form": form,
        "verb": VERBS.get(change.action, "Change"),
        "items": progress.items(),
        "logged": bulk.logged_among(change.items.filter(needs_token=True)),
        "action_url": reverse("keys:bulk_change", args=[change.pk]),
        "is_waiting_for_worker": is_waiting_for_worker,
        "left_out": left_out,
    }
    return render_page(request, "keys/bulk_change.html", context)
