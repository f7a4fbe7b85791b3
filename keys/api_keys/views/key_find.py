"""The page that finds the owner of a token."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.members import is_admin
from keys.access import signed_in
from keys.actors import actor_of
from keys.api_keys.find import ask_estuary, find_keys, stored_token_of
from keys.api_keys.forms import KeyFindForm
from keys.http import AppRequest, render_page
from keys.throttles import TooOften


@sensitive_post_parameters("text")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@sensitive_variables()
def key_find(request: AppRequest) -> HttpResponse:
    form = KeyFindForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        try:
            context |= _found(request, form)
        except TooOften as error:
            form.add_error("text", error.sentence)
    return render_page(request, "keys/key_find.html", context)


@sensitive_variables()
def _found(request: AppRequest, form: KeyFindForm) -> dict[str, Any]:
    pasted, actor = form.cleaned_data["text"], actor_of(request)
    stored, sees_all = stored_token_of(request.user), is_admin(request.user)
    search = find_keys(actor, stored, pasted, sees_all=sees_all)
    found = {"search": search, "left_out": pasted.left_out, "is_connected": stored is not None}
    if form.cleaned_data["ask"]:
        [(token_hash, token)] = pasted.tokens.items()
        found["tested"] = ask_estuary(actor, token_hash, token)
    return found
