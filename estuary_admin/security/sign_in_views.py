"""Sign-in with a second factor after the password, or with a passkey alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from allauth.account.utils import get_next_redirect_url
from allauth.core.internal.ratelimit import consume_or_429
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.webauthn.internal import auth
from allauth.mfa.webauthn.views import LoginWebAuthnView
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from estuary_admin.security.passkeys import (
    challenge_from_cookie,
    challenge_to_cookie,
    forget_challenge,
    passkey_options,
)

ANY_FORM = ["GET", "HEAD", "POST"]


def _require_local_sign_in() -> None:
    """Answer 404 where members sign in by single sign-on only."""
    if not (settings.SSO.is_local or settings.SSO.local_fallback):
        raise Http404


def _sign_in_page() -> str:
    return "account_login" if settings.SSO.is_local else "account_local"


class CodeAfterPassword(AuthenticateView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = context.pop("js_data")["request_options"]
        has_passkeys = bool(options["publicKey"].get("allowCredentials"))
        return context | {"options": passkey_options(options) if has_passkeys else ""}


class PasskeyAlone(LoginWebAuthnView):
    def get(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """Answer the script that asks for options when the button is pressed."""
        if request.headers.get("Accept") != "application/json":
            return redirect(_sign_in_page())
        refusal: HttpResponse | None = consume_or_429(
            request, app="allauth.mfa", action="webauthn_login", limit_get=True
        )
        if refusal:
            return refusal
        options = passkey_options(auth.begin_authentication(user=None))
        response = JsonResponse({"options": options})
        challenge_to_cookie(request, response)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        challenge_from_cookie(request)
        response: HttpResponse = super().post(request, *args, **kwargs)
        forget_challenge(request, response)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:  # noqa: ARG002
        # Not a message: that would be a session for each visitor who tries.
        query = {"passkey": "unknown"}
        if next_page := get_next_redirect_url(self.request):
            query["next"] = next_page
        return redirect(f"{reverse(_sign_in_page())}?{urlencode(query)}")


@require_http_methods(ANY_FORM)
@login_not_required
def code_after_password(request: HttpRequest) -> HttpResponseBase:
    _require_local_sign_in()
    response: HttpResponseBase = CodeAfterPassword.as_view()(request)
    return response


@require_http_methods(ANY_FORM)
@login_not_required
def passkey_alone(request: HttpRequest) -> HttpResponseBase:
    _require_local_sign_in()
    response: HttpResponseBase = PasskeyAlone.as_view()(request)
    return response
