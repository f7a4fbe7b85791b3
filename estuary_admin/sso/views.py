"""Coming and leaving: the page depends on who vouches for members here."""

from __future__ import annotations

from allauth.account import views as account_views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from estuary_admin.sso.middleware import is_local_session

ANY_FORM = ["GET", "HEAD", "POST"]


@require_http_methods(ANY_FORM)
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """By password; with a proxy in front, members are signed in before they can get here."""
    if settings.SSO.is_proxy and not request.user.is_authenticated:
        raise Http404
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
    was_local = is_local_session(request)
    response: HttpResponseBase = account_views.logout(request)
    if request.method != "POST":
        return response
    if not settings.SSO.is_local:
        response = after_single_sign_on(request, was_local=was_local)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


def after_single_sign_on(request: HttpRequest, *, was_local: bool) -> HttpResponseBase:
    if was_local and settings.SSO.is_proxy:
        return redirect("account_local")
    if not settings.SSO.logout_url:
        return redirect("account_signed_out")
    # A page that leads on, not a redirect: `form-action 'self'` holds for where a form leads in
    # the end, and sign-out pages go through several hosts.
    context = {"there": settings.SSO.logout_url}
    return render(request, "sso/onward.html", context)


@require_safe
@login_not_required
def signed_out(request: HttpRequest) -> HttpResponseBase:
    """Says honestly that the other session is still open; leads nowhere by itself."""
    if settings.SSO.is_local:
        return redirect("account_login")
    return render(request, "sso/signed_out.html")


@require_http_methods(ANY_FORM)
def password_change(request: HttpRequest) -> HttpResponseBase:
    """Only for who has one: somebody else vouches for all others."""
    if request.user.is_authenticated and not request.user.has_usable_password():
        raise Http404
    response: HttpResponseBase = account_views.password_change(request)
    return response
