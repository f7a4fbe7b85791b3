"""Signing in with a second factor after the password, or with a passkey instead of it."""

from __future__ import annotations

from typing import Any

from allauth.core.internal.ratelimit import consume_or_429
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.webauthn.internal import auth
from allauth.mfa.webauthn.views import LoginWebAuthnView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from estuary_admin.security.passkeys import as_json

ANY_FORM = ["GET", "HEAD", "POST"]


def local_only() -> None:
    """Nobody signs in here by a factor of ours while somebody else vouches for members."""
    if not (settings.SSO.is_local or settings.SSO.local_fallback):
        raise Http404


def entrance() -> str:
    return "account_login" if settings.SSO.is_local else "account_local"


class CodeAfterPassword(AuthenticateView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = context.pop("js_data")["request_options"]
        has_passkeys = bool(options["publicKey"].get("allowCredentials"))
        return context | {"options": as_json(options) if has_passkeys else ""}


class PasskeyAlone(LoginWebAuthnView):
    def get(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """What the script asks for when the button is pressed; nobody else has a use for it."""
        if request.headers.get("Accept") != "application/json":
            return redirect(entrance())
        # Each keeps a challenge in a new session, so it is counted as well.
        refusal: HttpResponse | None = consume_or_429(
            request, app="allauth.mfa", action="webauthn_login", limit_get=True
        )
        if refusal:
            return refusal
        return JsonResponse({"options": as_json(auth.begin_authentication(user=None))})

    def form_invalid(self, form: Any) -> HttpResponse:  # noqa: ARG002
        messages.error(self.request, "This passkey is not known here. Sign in in another way.")
        return redirect(entrance())


@require_http_methods(ANY_FORM)
@login_not_required
def code_after_password(request: HttpRequest) -> HttpResponseBase:
    local_only()
    response: HttpResponseBase = CodeAfterPassword.as_view()(request)
    return response


@require_http_methods(ANY_FORM)
@login_not_required
def passkey_alone(request: HttpRequest) -> HttpResponseBase:
    local_only()
    response: HttpResponseBase = PasskeyAlone.as_view()(request)
    return response
