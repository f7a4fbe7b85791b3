"""Coming and leaving: the page depends on who vouches for members here."""

from __future__ import annotations

from allauth.account import views as account_views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.security.proof_methods import has_password_here
from estuary_admin.sso.middleware import is_local_session
from estuary_admin.sso.oidc_views import choose_provider
from estuary_admin.sso.provider_sign_in import provider_sign_out

ANY_FORM = ["GET", "HEAD", "POST"]


@require_http_methods(ANY_FORM)
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """By password or at a provider; proxies have signed members in before they get here."""
    if settings.SSO.is_proxy and not request.user.is_authenticated:
        raise Http404
    if settings.SSO.providers and not request.user.is_authenticated:
        return choose_provider(request)
    response: HttpResponseBase = account_views.login(request)
    return response


@require_http_methods(ANY_FORM)
@login_not_required
def sign_in_locally(request: HttpRequest) -> HttpResponseBase:
    """For the day on which single sign-on is broken; SSO_LOCAL_FALLBACK opens it."""
    if settings.SSO.is_local:
        return redirect("account_login")
    if not settings.SSO.local_fallback:
        raise Http404
    response: HttpResponseBase = account_views.login(request)
    return response


@require_http_methods(ANY_FORM)
@login_not_required  # who is signed out already has nothing to sign in for
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End our session on the server; the browser drops what it kept."""
    was_local, there = is_local_session(request), where_the_other_session_ends(request)
    response: HttpResponseBase = account_views.logout(request)
    if request.method != "POST":
        return response
    if not settings.SSO.is_local:
        response = redirect("account_local") if was_local else lead_on(request, there)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


def where_the_other_session_ends(request: HttpRequest) -> str:
    if settings.SSO.logout_url or settings.SSO.is_local:
        return str(settings.SSO.logout_url)
    path = reverse("account_signed_out_everywhere")
    return provider_sign_out(request.session, f"{settings.PUBLIC_URL.geturl()}{path}")


def lead_on(request: HttpRequest, there: str) -> HttpResponseBase:
    # A page that leads on, not a redirect: `form-action 'self'` holds for where a form leads in
    # the end, and the pages of single sign-on go through several hosts.
    if not there:
        return redirect("account_signed_out")
    return render(request, "sso/onward.html", {"there": there})


@require_safe
@login_not_required
def signed_out(request: HttpRequest, *, everywhere: bool = False) -> HttpResponseBase:
    """Says honestly whether the other session is still open; leads nowhere by itself."""
    if settings.SSO.is_local:
        return redirect("account_login")
    return render(request, "sso/signed_out.html", {"everywhere": everywhere})


@require_http_methods(ANY_FORM)
@fresh_proof(when=has_password_here)
def password_change(request: HttpRequest) -> HttpResponseBase:
    if not has_password_here(request):
        raise Http404
    response: HttpResponseBase = account_views.password_change(request)
    return response
