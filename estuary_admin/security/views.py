"""The pages for second factors: allauth's flows, our words and addresses."""

from __future__ import annotations

from typing import Any

from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.mfa.webauthn.internal import auth
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods, require_safe

from estuary_admin.security.factors import factors_of
from estuary_admin.security.forms import PENDING_SECRET
from estuary_admin.security.passkeys import as_json
from keys.sealing import SealBroken

ANY_FORM = ["GET", "HEAD", "POST"]


@require_safe
def overview(request: HttpRequest) -> HttpResponseBase:
    """What protects this account, and what can be added to it."""
    factors = factors_of(request.user)  # type: ignore[arg-type]
    try:
        codes_left = factors.codes_left
    except SealBroken:
        codes_left = 0
    context = {
        "factors": factors,
        "passkeys": [one.wrap() for one in factors.passkeys],
        "codes_left": codes_left,
    }
    return render(request, "mfa/index.html", context)


class AppAdd(totp.ActivateTOTPView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        secret: str = context["form"].secret
        groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        return context | {"secret": " ".join(groups)}

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        del self.request.session[PENDING_SECRET]
        return response


class AppRemove(totp.DeactivateTOTPView):
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        messages.success(self.request, "The authenticator app is taken off.")
        return response


class PasskeyAdd(webauthn.AddWebAuthnView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = auth.begin_registration(self.request.user, passwordless=True)
        return context | {"options": as_json(options)}


class PasskeyRemove(webauthn.RemoveWebAuthnView):
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        messages.success(self.request, "The passkey is taken off. Delete it on your device, too.")
        return response


class PasskeyRename(webauthn.EditWebAuthnView):
    success_url = reverse_lazy("mfa_index")


class NewCodes(codes.GenerateRecoveryCodesView):
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        messages.success(self.request, "These are new. The former codes are good for nothing now.")
        return response


forms_only = require_http_methods(ANY_FORM)
app_add = forms_only(AppAdd.as_view())
app_remove = forms_only(AppRemove.as_view())
passkey_add = forms_only(PasskeyAdd.as_view())
passkey_remove = forms_only(PasskeyRemove.as_view())
passkey_rename = forms_only(PasskeyRename.as_view())
recovery_codes_new = forms_only(NewCodes.as_view())


@require_safe
def recovery_codes(request: HttpRequest) -> HttpResponseBase:
    try:
        response: HttpResponseBase = codes.ViewRecoveryCodesView.as_view()(request)
    except SealBroken:
        messages.error(request, "Your recovery codes cannot be read any more. Make new ones.")
        return redirect("mfa_index")
    return response
