"""Creating several keys, and showing their tokens once, in the answer to the POST."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.members import is_admin
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys.create_many import Batch, create_many, csv_text, env_lines
from keys.api_keys.forms import KeyCreateManyForm
from keys.api_keys.nonces import checked_nonce, new_nonce
from keys.api_keys.prefill import FIELDS
from keys.api_keys.views.key_create import FORM_TOO_OLD
from keys.http import AppRequest, render_page
from keys.policy.load import current_policy
from keys.policy.rules import PolicyRefused
from keys.throttles import TooOften
from keys.upstream import UpstreamError


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof(keep=("labels", *FIELDS, "nonce"))
@upstream_errors_shown
@sensitive_variables("batch")
def key_create_many(request: AppRequest) -> HttpResponse:
    if request.method != "POST":
        kept = interrupted_forms.kept(request)
        return _form_page(request, _form(request, initial=kept))
    form = _form(request, data=request.POST)
    if not form.is_valid():
        return _form_page(request, form)
    nonce = checked_nonce(request.session, form.cleaned_data["nonce"])
    if not nonce:
        form.add_error(None, FORM_TOO_OLD)
        return _form_page(request, form)
    try:
        asked = (form.to_specs(), nonce, form.cleaned_data["purpose"])
        batch = create_many(actor_of(request), request.stored_token, *asked)
    except (UpstreamError, TooOften, PolicyRefused) as error:
        form.add_error(None, f"No key was created. {error.sentence}")
        return _form_page(request, form)
    return _shown_once(request, batch)


def _form(request: AppRequest, **given: Any) -> KeyCreateManyForm:
    return KeyCreateManyForm(policy=current_policy(), is_admin=is_admin(request.user), **given)


def _form_page(request: AppRequest, form: KeyCreateManyForm) -> HttpResponse:
    """The form with a new nonce: after an error the old one may be used up."""
    nonce = new_nonce(request.session)
    if form.is_bound:
        form.data = dict(form.data.items()) | {"nonce": nonce}
    else:
        form.initial["nonce"] = nonce
    return render_page(request, "keys/key_create_many.html", {"form": form})


@sensitive_variables("batch", "context")
def _shown_once(request: AppRequest, batch: Batch) -> HttpResponse:
    # Answer the POST itself: a redirect would have to store the tokens to show them.
    context = {
        "batch": batch,
        "env_lines": env_lines(batch),
        "csv_text": csv_text(batch),
    }
    return render_page(request, "keys/key_created_many.html", context)
