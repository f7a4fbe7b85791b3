"""The pages for second factors: allauth's flows with our texts and URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.mfa.webauthn.internal import auth
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods, require_safe
from django.views.generic import FormView

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security import interrupted_forms
from estuary_admin.security.factor_forms import PENDING_SECRET
from estuary_admin.security.factors import (
    factors_of,
    locked_factors,
    must_have_factor,
    use_code,
)
from estuary_admin.security.fresh_proof import View, fresh_proof, proof_given
from estuary_admin.security.mfa_adapter import LAST_FACTOR, FactorAdapter
from estuary_admin.security.passkeys import passkey_options
from estuary_admin.security.proof_methods import can_prove
from estuary_admin.security.throttles import tell_once
from estuary_admin.sso.events import Event, tell

APP_REMOVED = "The authenticator app is removed."
PASSKEY_REMOVED = "The passkey is removed. Delete it on your device, too."
ANY_FORM = ["GET", "HEAD", "POST"]


@require_safe
def overview(request: HttpRequest) -> HttpResponseBase:
    """List the factors of the member, and what can be added."""
    factors = factors_of(request.user)  # type: ignore[arg-type]
    try:
        codes_left = factors.codes_left
    except SealBroken:
        codes_left = 0
    context = {
        "factors": factors,
        "passkeys": [passkey.wrap() for passkey in factors.passkeys],
        "codes_left": codes_left,
        "is_missing": not factors and must_have_factor(request),
    }
    return render(request, "mfa/index.html", context)


class AppAdd(totp.ActivateTOTPView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        secret: str = context["form"].secret
        groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        return context | {"secret": " ".join(groups)}

    def form_valid(self, form: Any) -> HttpResponse:
        with locked_factors(self.request.user):
            if factors_of(self.request.user).app:  # another request has just added it
                return redirect("mfa_index")
            response: HttpResponse = super().form_valid(form)
            use_code(self.request.user, form.cleaned_data["code"])  # it must not sign in as well
        del self.request.session[PENDING_SECRET]
        proof_given(self.request, "new app")
        return response


def _refuse_last_factor(request: HttpRequest, authenticator: Authenticator) -> bool:
    """Refuse to remove the last required factor, on the confirmation page and on POST."""
    if FactorAdapter().can_delete_authenticator(authenticator):
        return False
    messages.error(request, LAST_FACTOR)
    return True


def _remove(
    request: HttpRequest,
    authenticator: Authenticator,
    remove: Callable[[Any], HttpResponse],
    form: Any,
    message: str,
) -> HttpResponse:
    """Count and remove under one lock: two requests at once must not remove the last two."""
    with locked_factors(request.user):  # type: ignore[arg-type]
        is_gone = not Authenticator.objects.filter(pk=authenticator.pk).exists()
        if is_gone or _refuse_last_factor(request, authenticator):
            return redirect("mfa_index")
        response = remove(form)
    messages.success(request, message)
    return response


class AppRemove(totp.DeactivateTOTPView):
    def _dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if _refuse_last_factor(request, self.authenticator):
            return redirect("mfa_index")
        response: HttpResponseBase = super()._dispatch(request, *args, **kwargs)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        return _remove(self.request, self.authenticator, super().form_valid, form, APP_REMOVED)


class _KeptNameMixin:
    def get_initial(self) -> dict[str, Any]:
        request: HttpRequest = self.request  # type: ignore[attr-defined]
        return interrupted_forms.kept(request)


class PasskeyAdd(_KeptNameMixin, webauthn.AddWebAuthnView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = auth.begin_registration(self.request.user, passwordless=True)
        return context | {"options": passkey_options(options)}

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        proof_given(self.request, "new passkey")
        return response


class PasskeyRemove(webauthn.RemoveWebAuthnView):
    success_url = reverse_lazy("mfa_index")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if _refuse_last_factor(request, self.get_object()):
            return redirect("mfa_index")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        return _remove(self.request, self.object, super().form_valid, form, PASSKEY_REMOVED)


class PasskeyRename(_KeptNameMixin, webauthn.EditWebAuthnView):
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        tell(self.request, Event.FACTOR_RENAMED, factor="passkey")
        return response


class NewCodes(codes.GenerateRecoveryCodesView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            context: dict[str, Any] = super().get_context_data(**kwargs)
        except SealBroken:  # the codes cannot be counted: that may be why new ones are made
            context = FormView.get_context_data(self, **kwargs) | {"unused_code_count": 0}
        return context

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        messages.success(self.request, "These are new codes. The previous ones no longer work.")
        return response


def _with_proof(view: View, **options: Any) -> View:
    return require_http_methods(ANY_FORM)(fresh_proof(**options)(view))


app_add = _with_proof(AppAdd.as_view(), keeps_all=False, when=can_prove)  # a code is short-lived
app_remove = _with_proof(AppRemove.as_view())
passkey_add = _with_proof(PasskeyAdd.as_view(), keep=("name",), when=can_prove)
passkey_remove = _with_proof(PasskeyRemove.as_view())
passkey_rename = _with_proof(PasskeyRename.as_view(), keep=("name",))
recovery_codes_new = _with_proof(NewCodes.as_view())


@require_safe
@fresh_proof()
def recovery_codes(request: HttpRequest) -> HttpResponseBase:
    try:
        response: HttpResponseBase = codes.ViewRecoveryCodesView.as_view()(request)
    except SealBroken:
        messages.error(request, "Your recovery codes can no longer be read. Make new ones.")
        return redirect("mfa_index")
    tell_once(request, Event.RECOVERY_CODES_SHOWN)
    return response
