"""Rotating a key, and showing the new token once, in the answer to the POST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.members import is_admin
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists
from keys.api_keys.forms import KeyRotateForm, proposal
from keys.api_keys.nonces import checked_nonce, new_nonce
from keys.api_keys.prefill import FIELDS
from keys.api_keys.rotate import Rotated, rotate_key, rotated_before
from keys.api_keys.rotations import CannotReplace, Replacement, revoking_deadline_for
from keys.api_keys.rows import KeyRow, bare_row, rows_of
from keys.api_keys.views.key_create import key_shown_once, outcome_page
from keys.api_keys.views.key_revoke import tell_absence
from keys.http import AppRequest, render_page
from keys.models import KeyCreation
from keys.notes.services import note_of, text_of
from keys.policy.load import current_policy
from keys.policy.rules import PolicyRefused
from keys.steps import steps_told
from keys.throttles import TooOften
from keys.upstream import UpstreamError

FORM_TOO_OLD = "This form was too old, so no key was created. Press the button again."


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof(keep=(*FIELDS, "nonce", "overlap", "custom_overlap"))
@upstream_errors_shown
@steps_told
@sensitive_variables("rotated")
def key_rotate(request: AppRequest, token_hash: str) -> HttpResponse:
    actor, stored = actor_of(request), request.stored_token
    nonce = checked_nonce(request.session, request.POST.get("nonce", ""))
    if nonce and (sent_before := rotated_before(actor, stored, nonce)):
        return _rotated(request, sent_before)
    listed = key_lists.list_for(stored, actor, token_hash)
    key = listed.find(token_hash)
    if key is None:
        return tell_absence(request, token_hash, listed.doubt_about(token_hash))
    node_now, form = listed.node_now(timezone.now()), None
    if request.method == "POST":
        form = _form(request, bare_row(key, stored.token_hash, node_now))
        if form.is_valid() and (rotated := _rotate(request, token_hash, form, nonce)):
            return _rotated(request, rotated)
    [row] = rows_of([key], stored.token_hash, node_now)
    return _form_page(request, form or _form(request, row), row, listed.clock_shift)


@sensitive_variables()
def _rotate(
    request: AppRequest, token_hash: str, form: KeyRotateForm, nonce: str
) -> Rotated | None:
    """Rotate the key; None when no key was made: the form says why."""
    if not nonce:
        form.add_error(None, FORM_TOO_OLD)
        return None
    replaces = Replacement(token_hash, form.overlap_time)
    try:
        return rotate_key(
            actor_of(request),
            request.stored_token,
            replaces,
            form.to_spec(),
            nonce,
            form.cleaned_data["purpose"],
        )
    except (UpstreamError, TooOften, PolicyRefused, CannotReplace) as error:
        form.add_error(None, f"No key was created. {error.sentence}")
        return None


def _form(request: AppRequest, row: KeyRow) -> KeyRotateForm:
    policy, admin = current_policy(), is_admin(request.user)
    given: dict[str, Any] = {"policy": policy, "is_admin": admin}
    given |= {"is_own": row.is_own, "has_ended": row.is_expired}
    if request.method == "POST":
        return KeyRotateForm(request.POST, **given)
    like_old = proposal(
        policy,
        is_admin=admin,
        lifetime=_lifetime_of(row),
        permission="all" if row.is_own else row.permission,
        label=row.label,
        purpose=text_of(note_of(row.token_hash)).purpose,
        nonce=new_nonce(request.session),
    )
    return KeyRotateForm(initial=like_old | interrupted_forms.kept(request), **given)


def _lifetime_of(row: KeyRow) -> timedelta | Literal["unknown"] | None:
    """The key's lifetime by our record: Estuary does not say when a key was made."""
    record = KeyCreation.objects.filter(token_hash=row.token_hash).first()
    if record:
        return record.lifetime
    return None if row.is_permanent else "unknown"


def _form_page(
    request: AppRequest, form: KeyRotateForm, row: KeyRow, clock_ahead: timedelta
) -> HttpResponse:
    """The form with what was typed; after an error with a new nonce: the old one may be used up."""
    if form.is_bound:
        form.data = dict(form.data.items()) | {"nonce": new_nonce(request.session)}
    deadline = revoking_deadline_for(row.token_hash) if row.rotate_by else None
    context = {
        "form": form,
        "form_id": "key-rotate",
        "form_url": reverse("keys:key_rotate", args=[row.token_hash]),
        "verb": "Create another like this" if row.is_expired else "Rotate key",
        "replaced": row,
        "clock_ahead": clock_ahead,
        "deadline": deadline,
        "is_past_deadline": bool(deadline and deadline <= timezone.now()),
    }
    return render_page(request, "keys/key_rotate.html", context)


@sensitive_variables("rotated")
def _rotated(request: AppRequest, rotated: Rotated) -> HttpResponse:
    creation = rotated.creation
    context = {"rotation": rotated.rotation, "console_hash": rotated.console_hash}
    if creation.created is None:
        return outcome_page(request, creation, **context)
    return key_shown_once(request, creation, creation.created, **context)
