"""Connecting and disconnecting the stored token."""

from __future__ import annotations

from secrets import token_urlsafe

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import revoke
from keys.api_keys.nonces import checked_nonce, new_nonce
from keys.api_keys.rotations import CannotReplace
from keys.api_keys.rows import name_of
from keys.api_keys.views.key_revoke import tell_revocation
from keys.http import AppRequest, render_page
from keys.models import StoredToken
from keys.policy.rules import PolicyRefused
from keys.throttles import TooOften
from keys.token.forms import TokenConnectForm, TokenDisconnectForm
from keys.token.renewal import is_taken, take_own_key
from keys.token.stored_tokens import (
    SentBefore,
    connect_token,
    disconnect_token,
    made_own_key,
)
from keys.upstream import UpstreamError

NOT_CERTAIN = (
    "It is not certain yet that this console has a key of its own. It works with the one that you "
    "pasted until then."
)
OVERTAKEN = (
    "Another key was connected meanwhile, and this console works with that one. If your list has a "
    "key that it made for itself before, revoke it: nobody has its token."
)


@sensitive_post_parameters("token")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_proof(keep=("own_key",), keep_pasted="token")
@sensitive_variables("form", "kept")
def token_connect(request: AppRequest) -> HttpResponse:
    kept = interrupted_forms.kept(request)
    form = TokenConnectForm(
        interrupted_forms.completed(request, "token") if request.method == "POST" else None,
        initial={"nonce": new_nonce(request.session), "own_key": kept.get("own_key", "")},
    )
    if request.method == "POST" and (answer := _connect(request, form)):
        return answer
    stored_token = StoredToken.objects.filter(member=request.user).first()
    return render_page(
        request,
        "keys/token_connect.html",
        {
            "form": form,
            "stored_token": stored_token,
            "is_kept": bool(interrupted_forms.kept(request).get("token")),
        },
    )


@sensitive_variables("form")
def _connect(request: AppRequest, form: TokenConnectForm) -> HttpResponse | None:
    """Connect the token of the form, once; None when an error is to be shown."""
    actor, nonce = actor_of(request), _nonce_in(request)
    if made_own_key(actor, nonce):
        return go_to(request, "keys:key_list")  # the form was sent twice
    if not form.is_valid():
        return None
    try:
        stored = connect_token(actor, form.cleaned_data["token"], nonce)
    except SentBefore:
        return go_to(request, "keys:key_list")
    except (UpstreamError, TooOften) as error:
        form.add_error("token", f"{error.sentence} Nothing was stored.")
        return None
    messages.success(request, f"Connected with key {stored.fingerprint}.")
    return _connected(request, stored, takes_own_key=form.cleaned_data["own_key"])


def _nonce_in(request: AppRequest) -> str:
    return checked_nonce(request.session, request.POST.get("nonce", ""))


def _connected(request: AppRequest, stored: StoredToken, *, takes_own_key: bool) -> HttpResponse:
    """Take a key of the console's own if that is wanted, and offer to revoke the pasted one."""
    if not takes_own_key:
        return go_to(request, "keys:key_list")
    pasted, nonce = stored.token_hash, _nonce_in(request) or token_urlsafe(16)
    try:
        rotated = take_own_key(actor_of(request), stored, nonce)
    except (UpstreamError, TooOften, PolicyRefused, CannotReplace) as error:
        messages.warning(request, f"This console has no key of its own. {error.sentence}")
        return go_to(request, "keys:key_list")
    if not is_taken(actor_of(request), rotated):
        uses_pasted = StoredToken.objects.filter(member=request.user, token_hash=pasted).exists()
        messages.warning(request, NOT_CERTAIN if uses_pasted else OVERTAKEN)
        return go_to(request, "keys:key_list")
    messages.success(
        request,
        f"This console now works with its own key {rotated.creation.record.fingerprint}, and "
        "renews it by itself. Revoke the key that you pasted, unless something else uses it.",
        extra_tags="sticky",
    )
    return go_to(request, reverse("keys:key_revoke", args=[pasted]))


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof(keep=("revoke",))
@upstream_errors_shown
def token_disconnect(request: AppRequest) -> HttpResponse:
    stored = request.stored_token
    form = TokenDisconnectForm(
        request.POST if request.method == "POST" else None,
        initial={"fingerprint": stored.fingerprint} | interrupted_forms.kept(request),
    )
    context = {"form": form, "stored_token": stored}
    if request.method != "POST" or not form.is_valid():
        return render(request, "keys/token_disconnect.html", context)
    if form.cleaned_data["fingerprint"] not in {"", stored.fingerprint}:
        messages.warning(request, "Another key was connected meanwhile. Nothing was done.")
        return go_to(request, "keys:token_disconnect")
    if form.cleaned_data["revoke"]:
        result = revoke.revoke_key(actor_of(request), stored, stored.token_hash)
        return tell_revocation(request, result, name_of(None, stored.token_hash))
    if not disconnect_token(actor_of(request), stored):
        text = "The key was disconnected or replaced meanwhile. Nothing was done."
        messages.warning(request, text)
        return go_to(request, "keys:token_connect")
    messages.success(request, "Disconnected. The key itself is still valid at Estuary.")
    return go_to(request, "keys:token_connect")
