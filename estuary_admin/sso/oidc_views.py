"""To a provider and back, by allauth's flow."""

from __future__ import annotations

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.sso.identity_errors import NotBelieved
from estuary_admin.sso.middleware import refusal_page
from estuary_admin.sso.provider import Adapter
from estuary_admin.sso.reasons import Refused


def choose_provider(request: HttpRequest) -> HttpResponseBase:
    context = {"providers": settings.SSO.providers, "next": get_next_redirect_url(request)}
    return render(request, "sso/choose.html", context)


@require_POST
@login_not_required
def oidc_login(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Lead to the provider by a page: a form may not end at another host (`form-action`)."""
    response = _flow(OAuth2LoginView, request, provider_id)
    if response.status_code != 302:
        return response
    context = {"there": response["Location"], "is_arriving": True}
    return render(request, "sso/onward.html", context)


@require_safe
@login_not_required
def oidc_callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    try:
        return _flow(OAuth2CallbackView, request, provider_id)
    except Refused as refusal:
        return refusal_page(request, refusal.reason)


def _flow(view: type, request: HttpRequest, provider_id: str) -> HttpResponseBase:
    try:
        response: HttpResponseBase = view.adapter_view(Adapter(request, provider_id))(request)  # type: ignore[attr-defined]
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except OAuth2Error:  # while it is still being asked where its pages are
        return refusal_page(request, NotBelieved.PROVIDER)
    return response
