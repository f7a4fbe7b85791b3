"""Leaving: our session ends on the server and the browser drops what it kept."""

from __future__ import annotations

from allauth.account import views as account_views
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_http_methods


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required  # who is signed out already has nothing to sign in for
def sign_out(request: HttpRequest) -> HttpResponseBase:
    response: HttpResponseBase = account_views.logout(request)
    if request.method == "POST":
        response["Clear-Site-Data"] = '"cache", "storage"'
    return response
