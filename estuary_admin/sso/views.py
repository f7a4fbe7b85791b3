"""Sign-in and sign-out pages, the way to a provider and back, and the diagnosis for admins."""

from __future__ import annotations

from typing import Any

from allauth.account import views as account_views
from allauth.account.utils import get_next_redirect_url
from allauth.core.ratelimit import consume_or_429
from allauth.socialaccount.internal.statekit import STATE_TTL
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from estuary_admin.members import admins_only
from estuary_admin.sso.doctor import arrived, diagnose
from estuary_admin.sso.provider import Adapter
from estuary_admin.sso.provider_sign_in import ASKED_AT, provider_sign_out
from estuary_admin.sso.refusal_views import provider_refusal
from estuary_admin.sso.refusals import Refused
from estuary_admin.sso.sessions import is_local_session
from estuary_admin.web.addresses import public_address

FORM_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_METHODS)
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Sign in by password or at a provider. Behind a proxy everybody here is signed in already."""
    if settings.SSO.is_proxy and not request.user.is_authenticated:
        raise Http404
    if settings.SSO.providers and not request.user.is_authenticated:
        return choose_provider(request)
    response: HttpResponseBase = account_views.login(request)
    return response


@require_http_methods(FORM_METHODS)
@login_not_required
def sign_in_locally(request: HttpRequest) -> HttpResponseBase:
    """Sign in by password while single sign-on is broken; needs SSO_LOCAL_FALLBACK."""
    if settings.SSO.is_local:
        return redirect("account_login")
    if not settings.SSO.local_fallback:
        raise Http404
    response: HttpResponseBase = account_views.login(request)
    return response


@require_http_methods(FORM_METHODS)
@login_not_required  # A member who is signed out already must not be sent to sign in.
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End the session on the server and clear what the browser stored."""
    was_local, address = is_local_session(request), other_sign_out(request)
    response: HttpResponseBase = account_views.logout(request)
    if request.method != "POST":
        return response
    if not settings.SSO.is_local:
        response = redirect("account_local") if was_local else leave(request, address)
    if not settings.BASE_PATH:  # below a path the storage belongs to other software as well
        response["Clear-Site-Data"] = '"cache", "storage"'
    return response


def other_sign_out(request: HttpRequest) -> str:
    """The address that ends the session at the proxy or the provider, or ""."""
    if settings.SSO.logout_url or settings.SSO.is_local:
        return str(settings.SSO.logout_url)
    return provider_sign_out(request.session, public_address("account_signed_out_everywhere"))


def leave(request: HttpRequest, address: str) -> HttpResponseBase:
    # A page instead of a redirect: the policy `form-action 'self'` also applies to redirects
    # after a form, and single sign-on leads through several hosts.
    if not address:
        return redirect("account_signed_out")
    return render(request, "sso/onward.html", {"there": address})


@require_safe
@login_not_required
def signed_out(request: HttpRequest, *, everywhere: bool = False) -> HttpResponseBase:
    """Say whether the other session is still open. The page does not lead on by itself."""
    if settings.SSO.is_local:
        return redirect("account_login")
    return render(request, "sso/signed_out.html", {"everywhere": everywhere})


def choose_provider(request: HttpRequest) -> HttpResponseBase:
    context = {"providers": settings.SSO.providers, "next": get_next_redirect_url(request)}
    return render(request, "sso/choose.html", context)


class CallbackView(OAuth2CallbackView):
    """Notes on the request whether the member was sent to the provider for a fresh proof."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, response = super()._get_state(request, provider)
        request.is_proof = ASKED_AT in state  # type: ignore[attr-defined]
        return state, response


@require_POST
@login_not_required
def provider_login(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Lead to the provider by a page: `form-action` forbids a form that ends at another host."""
    if refusal := consume_or_429(request, action="login"):
        return refusal  # type: ignore[no-any-return]
    if not request.user.is_authenticated:
        request.session.set_expiry(STATE_TTL)  # it keeps nothing but the way back
    response = _provider_flow(OAuth2LoginView, request, provider_id)
    if response.status_code != 302:
        return response
    context = {"there": response["Location"], "is_arriving": True}
    return render(request, "sso/onward.html", context)


@require_safe
@login_not_required
def provider_callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    return _provider_flow(CallbackView, request, provider_id)


def _provider_flow(view: Any, request: HttpRequest, provider_id: str) -> HttpResponseBase:
    if provider_id not in {provider.id for provider in settings.SSO.providers}:
        raise Http404
    try:
        response: HttpResponseBase = view.adapter_view(Adapter(request, provider_id))(request)
    except Refused as refusal:
        is_proof = getattr(request, "is_proof", False) or "proof" in request.POST
        return provider_refusal(request, refusal.reason, is_proof=is_proof)
    return response


@require_safe
@admins_only
def sso_doctor(request: HttpRequest) -> HttpResponseBase:
    """Show an admin what their own request contains and how each step of the sign-in goes."""
    context = {
        "sso": settings.SSO,
        "findings": diagnose(request.META, settings.SSO),
        "headers": arrived(request.META, settings.SSO),
    }
    return render(request, "sso/sso_doctor.html", context)
