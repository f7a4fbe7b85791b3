"""The confirmation page: asks for a proof, then leads on to the page that required it."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.core.ratelimit import consume_or_429
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from estuary_admin.security.factor_forms import CodeForm, PasskeyForm
from estuary_admin.security.fresh_proof import is_fresh, proof_given
from estuary_admin.security.interrupted_forms import tell_of_interruption
from estuary_admin.security.passkeys import passkey_options
from estuary_admin.security.password_forms import PasswordForm, focus_first
from estuary_admin.security.proof_methods import ProofMethods, proof_methods_of
from estuary_admin.web.redirects import can_visit, go_to


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponseBase:
    next_page = get_next_redirect_url(request) or reverse(settings.ACCOUNT_PAGE)
    if is_fresh(request):
        tell_of_interruption(request, next_page)  # after a proof at the provider
        return go_to(request, next_page)
    methods = proof_methods_of(request)
    proof_forms = _forms(request, methods)
    if request.method == "POST":
        if refusal := consume_or_429(request, action="reauthenticate", user=request.user):
            return refusal  # type: ignore[no-any-return]
        way = request.POST.get("way", "")
        if way in proof_forms and proof_forms[way].is_valid():
            return _accept(request, way, proof_forms[way], next_page)
    context = _context(request, methods, proof_forms, next_page)
    return render(request, "account/reauthenticate.html", context)


def _forms(request: HttpRequest, methods: ProofMethods) -> dict[str, forms.Form]:
    """One form for each method that is used on this page; the sent one is bound."""
    kinds: dict[str, type[Any]] = {}
    if methods.factors.passkeys:
        kinds["passkey"] = PasskeyForm
    if methods.factors:
        kinds["code"] = CodeForm
    if methods.password:
        kinds["password"] = PasswordForm
    sent = request.POST.get("way", "")
    return {
        way: kind(request.POST if way == sent else None, user=request.user)
        for way, kind in kinds.items()
    }


def _accept(request: HttpRequest, way: str, form: Any, next_page: str) -> HttpResponseBase:
    if way != "password":
        form.save()  # records the use of the factor
    proof_given(request, way)
    tell_of_interruption(request, next_page)
    return go_to(request, next_page)


def _page_before(request: HttpRequest) -> str:
    """The page where the action was asked for: a member who gives no proof returns there."""
    back = (request.POST if request.method == "POST" else request.GET).get("back", "")
    return back if can_visit(back) else ""


def _context(
    request: HttpRequest,
    methods: ProofMethods,
    proof_forms: dict[str, forms.Form],
    next_page: str,
) -> dict[str, Any]:
    has_passkey = "passkey" in proof_forms
    typed = [proof_forms[way] for way in ("password", "code") if way in proof_forms]
    if typed and not any(form.is_bound for form in typed):
        focus_first(typed[0])
    options = passkey_options(auth.begin_authentication(request.user)) if has_passkey else ""
    return {
        "methods": methods,
        "next": next_page,
        "back": _page_before(request) or reverse(settings.ACCOUNT_PAGE),
        "options": options,
        "passkey_form": proof_forms.get("passkey"),
        "code_form": proof_forms.get("code"),
        "password_form": proof_forms.get("password"),
        "password_first": not has_passkey,
        "code_first": set(proof_forms) == {"code"},
    }
