"""The page that asks for a proof, and goes on to where it was needed."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.core.ratelimit import consume_or_429
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from estuary_admin.security.forms import CodeForm, PasskeyForm, PasswordForm
from estuary_admin.security.fresh_proof import is_fresh, proof_given
from estuary_admin.security.interrupted_forms import tell_of_interruption
from estuary_admin.security.passkeys import as_json
from estuary_admin.security.proof_methods import Ways, ways_of


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponseBase:
    there = get_next_redirect_url(request) or reverse(settings.ACCOUNT_PAGE)
    if is_fresh(request):
        return redirect(there)
    ways = ways_of(request)
    forms_shown = forms_of(request, ways)
    if request.method == "POST":
        if refusal := consume_or_429(request, action="reauthenticate", user=request.user):
            return refusal  # type: ignore[no-any-return]
        way = request.POST.get("way", "")
        if way in forms_shown and forms_shown[way].is_valid():
            return go_on(request, way, forms_shown[way], there)
    return render(request, "account/reauthenticate.html", page(request, ways, forms_shown, there))


def forms_of(request: HttpRequest, ways: Ways) -> dict[str, forms.Form]:
    """One for each way that is typed here; the one that was sent has what was typed."""
    kinds: dict[str, type[Any]] = {}
    if ways.factors.passkeys:
        kinds["passkey"] = PasskeyForm
    if ways.factors:
        kinds["code"] = CodeForm
    if ways.password:
        kinds["password"] = PasswordForm
    sent = request.POST.get("way", "")
    return {
        way: kind(request.POST if way == sent else None, user=request.user)
        for way, kind in kinds.items()
    }


def go_on(request: HttpRequest, way: str, form: Any, there: str) -> HttpResponseBase:
    if way != "password":
        form.save()  # notes that the factor was used
    proof_given(request, way)
    tell_of_interruption(request, there)
    return redirect(there)


def page(
    request: HttpRequest, ways: Ways, forms_shown: dict[str, forms.Form], there: str
) -> dict[str, Any]:
    options = as_json(auth.begin_authentication(request.user)) if "passkey" in forms_shown else ""
    return {
        "ways": ways,
        "next": there,
        "options": options,
        "passkey_form": forms_shown.get("passkey"),
        "code_form": forms_shown.get("code"),
        "password_form": forms_shown.get("password"),
        "password_first": "passkey" not in forms_shown,
        "code_first": set(forms_shown) == {"code"},
    }
