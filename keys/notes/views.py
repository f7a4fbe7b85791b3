"""The note of one key, on its own page or in place on the key's page."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from estuary_admin.members import is_admin
from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists
from keys.api_keys.rows import name_of
from keys.api_keys.views.key_revoke import tell_absence
from keys.http import AppRequest, render_page, wants_part
from keys.notes.forms import KeyNoteForm
from keys.notes.services import NoteText, facts_of, note_of, readable_notes, save_note, text_of
from keys.policy.load import current_policy


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@upstream_errors_shown
def key_note(request: AppRequest, token_hash: str) -> HttpResponse:
    listed = key_lists.list_for(request.stored_token, actor_of(request), token_hash)
    key = listed.find(token_hash)
    if key is None:
        return _note_of_ended_key(request, token_hash, listed.doubt_about(token_hash))
    form = KeyNoteForm(
        request.POST if request.method == "POST" else None,
        initial=asdict(text_of(note_of(token_hash))),
        policy=current_policy(),
    )
    if form.is_valid():
        save_note(actor_of(request), token_hash, NoteText(**form.cleaned_data))
        return _saved(request, token_hash)
    context = note_context(token_hash) | {"form": form, "name": name_of(key, token_hash)}
    return render_page(request, "keys/key_note.html", context)


def _saved(request: AppRequest, token_hash: str) -> HttpResponse:
    if wants_part(request):
        return render_page(
            request, "keys/key_note.html", note_context(token_hash) | {"is_saved": True}
        )
    messages.success(request, "Note saved.")
    return go_to(request, reverse("keys:key_detail", args=[token_hash]))


def _note_of_ended_key(request: AppRequest, token_hash: str, doubt: str) -> HttpResponse:
    """Only to read, for those who wrote it and for admins; to others it does not exist."""
    if doubt:
        return tell_absence(request, token_hash, doubt)
    readable = readable_notes(request.user, [token_hash], sees_all=is_admin(request.user))
    if request.method == "POST" or token_hash not in readable:
        raise Http404("Estuary does not list this key")
    context = note_context(token_hash) | {"name": name_of(None, token_hash), "is_ended": True}
    return render_page(request, "keys/key_note.html", context)


def note_context(token_hash: str) -> dict[str, object]:
    """The context of `keys/_key_note.html`, without its form."""
    note = note_of(token_hash)
    return {
        "note": note,
        "note_fields": facts_of(note) if note else [],
        "note_url": reverse("keys:key_note", args=[token_hash]),
        "key_url": reverse("keys:key_detail", args=[token_hash]),
    }
