"""Creating a key, and showing its token once, in the answer to the POST."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.members import is_admin
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys.create import Creation, create_key
from keys.api_keys.forms import KeyCreateForm
from keys.api_keys.handover import handover_context
from keys.api_keys.nonces import checked_nonce, new_nonce
from keys.api_keys.prefill import FIELDS, holds_secret, prefill_of
from keys.http import AppRequest, render_page
from keys.models import KeyCreation
from keys.policy.load import current_policy
from keys.policy.rules import PolicyRefused
from keys.steps import steps_told
from keys.throttles import TooOften
from keys.upstream import CreatedKey, UpstreamError

#: The word for the template by the record's outcome; any other outcome is its own word.
OUTCOMES: dict[str, str] = {
    KeyCreation.Outcome.CREATED: "created-before",
    KeyCreation.Outcome.REQUESTED: "unknown",
}

ADDRESS_WARNING = (
    "The address of this page held a token, which is now in your browser's history. Clear that, "
    "and revoke the key if others may have seen it."
)
FORM_TOO_OLD = "This form was too old, so no key was created. Press Create key again."


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof(keep=(*FIELDS, "nonce"))
@upstream_errors_shown
@steps_told
@sensitive_variables("creation")
def key_create(request: AppRequest) -> HttpResponse:
    if request.method != "POST":
        return _first_form_page(request)
    form = _form(request, data=request.POST)
    if not form.is_valid():
        return _form_page(request, form)
    nonce = checked_nonce(request.session, form.cleaned_data["nonce"])
    if not nonce:
        form.add_error(None, FORM_TOO_OLD)
        return _form_page(request, form)
    try:
        asked = (form.to_spec(), nonce, form.cleaned_data["purpose"])
        creation = create_key(actor_of(request), request.stored_token, *asked)
    except (UpstreamError, TooOften, PolicyRefused) as error:
        form.add_error(None, f"No key was created. {error.sentence}")
        return _form_page(request, form)
    if creation.created is None:
        return outcome_page(request, creation)
    return key_shown_once(request, creation, creation.created)


def _form(request: AppRequest, **given: Any) -> KeyCreateForm:
    return KeyCreateForm(policy=current_policy(), is_admin=is_admin(request.user), **given)


def _first_form_page(request: AppRequest) -> HttpResponse:
    """The form as a link fills it in; what was typed before an interruption comes first."""
    if holds_secret(request.GET):
        messages.warning(request, ADDRESS_WARNING, extra_tags="sticky")
        return go_to(request, "keys:key_create")
    asked = prefill_of(request.GET, current_policy(), is_admin=is_admin(request.user))
    kept = interrupted_forms.kept(request)
    form = _form(request, initial={"nonce": new_nonce(request.session), **asked.values, **kept})
    return render_page(request, "keys/key_create.html", {"form": form, "refused": asked.refused})


def _form_page(request: AppRequest, form: KeyCreateForm) -> HttpResponse:
    """The form with what was typed, and with a new nonce: the old one may be used up."""
    form.data = dict(form.data.items()) | {"nonce": new_nonce(request.session)}
    return render_page(request, "keys/key_create.html", {"form": form})


@sensitive_variables("created", "context")
def key_shown_once(
    request: AppRequest, creation: Creation, created: CreatedKey, **more: object
) -> HttpResponse:
    # Answer the POST itself: a redirect would have to store the token to show it.
    context = handover_context(created, creation.record, creation.sentence) | more
    return render_page(request, "keys/key_created.html", context)


def outcome_page(request: AppRequest, creation: Creation, **more: object) -> HttpResponse:
    record = creation.record
    links = {}
    if record.token_hash:
        links = {
            "key_url": reverse("keys:key_detail", args=[record.token_hash]),
            "revoke_url": reverse("keys:key_revoke", args=[record.token_hash]),
        }
    context = {
        "outcome": OUTCOMES.get(record.outcome, record.outcome),
        "label": record.label,
        "fingerprint": record.fingerprint,
        "create_url": reverse("keys:key_create"),
        "sentence": creation.sentence,
        **links,
        **more,
    }
    return render_page(request, "keys/key_create_outcome.html", context)
