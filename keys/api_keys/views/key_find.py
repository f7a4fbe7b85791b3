"""The page that finds the owner of a token."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from django_htmx.http import reselect

from estuary_admin.members import is_admin
from keys.access import signed_in
from keys.actors import actor_of
from keys.api_keys.find import Tested, ask_estuary, find_keys, stored_token_of
from keys.api_keys.forms import KeyFindForm
from keys.api_keys.pasted import PastedKeys
from keys.http import AppRequest, render_page, render_trouble, wants_part
from keys.throttles import TooOften

PAGE = "keys/key_find.html"


@sensitive_post_parameters("text")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@sensitive_variables()
def key_find(request: AppRequest) -> HttpResponse:
    form = KeyFindForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form}
    is_valid = form.is_valid()
    try:
        if form.is_bound and form.sought:
            context |= _found(request, form.sought)
        if is_valid and form.asks:
            context["tested"] = _tested(request, form)
    except TooOften as error:
        form.add_error("text", error.sentence)
    if form.errors and form.asks:
        return _not_asked(request, form, context)
    return render_page(request, PAGE, context)


@sensitive_variables()
def _found(request: AppRequest, pasted: PastedKeys) -> dict[str, Any]:
    actor = actor_of(request)
    stored, sees_all = stored_token_of(request.user), is_admin(request.user)
    search = find_keys(actor, stored, pasted, sees_all=sees_all)
    return {"search": search, "left_out": pasted.left_out, "is_connected": stored is not None}


@sensitive_variables()
def _tested(request: AppRequest, form: KeyFindForm) -> Tested:
    [(token_hash, token)] = form.sought.tokens.items()
    return ask_estuary(actor_of(request), token_hash, token)


def _not_asked(request: AppRequest, form: KeyFindForm, context: dict[str, Any]) -> HttpResponse:
    """Say why in the result that had the form, or beside it when that one cannot be shown."""
    [problem, *_] = [sentence for errors in form.errors.values() for sentence in errors]
    context |= {"form": KeyFindForm(), "problem": problem}
    if "search" in context:
        return render_page(request, PAGE, context)
    response = render_trouble(request, PAGE, context, HTTPStatus.OK)
    # The form selects a result, which this answer does not have: htmx would remove the shown one.
    return reselect(response, ".notice.error") if wants_part(request) else response
