"""Connecting and disconnecting the stored token."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import revoke
from keys.api_keys.rows import name_of
from keys.api_keys.views.key_revoke import tell_revocation
from keys.http import AppRequest, render_page
from keys.models import StoredToken
from keys.throttles import TooOften
from keys.token.forms import TokenConnectForm, TokenDisconnectForm
from keys.token.stored_tokens import connect_token, disconnect_token
from keys.upstream import UpstreamError


@sensitive_post_parameters("token")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_proof(keep=("token",))
@sensitive_variables("form")
def token_connect(request: AppRequest) -> HttpResponse:
    form = TokenConnectForm(
        interrupted_forms.completed(request) if request.method == "POST" else None
    )
    if request.method == "POST" and form.is_valid():
        try:
            stored = connect_token(actor_of(request), form.cleaned_data["token"])
        except (UpstreamError, TooOften) as error:
            form.add_error("token", f"{error.sentence} Nothing was stored.")
        else:
            messages.success(request, f"Connected with key {stored.fingerprint}.")
            return go_to(request, "keys:key_list")
    stored_token = StoredToken.objects.filter(member=request.user).first()
    return render_page(
        request,
        "keys/token_connect.html",
        {
            "form": form,
            "stored_token": stored_token,
            "is_kept": bool(interrupted_forms.kept(request)),
        },
    )


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
    if disconnect_token(actor_of(request), stored):
        messages.success(request, "Disconnected. The key itself is still valid at Estuary.")
    return go_to(request, "keys:token_connect")
