"""Changing the password of this console."""

from __future__ import annotations

from allauth.account import views as account_views
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_http_methods

from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.sso.sessions import has_password_here


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(keeps_all=False, when=has_password_here)
def password_change(request: HttpRequest) -> HttpResponseBase:
    """Change the password; members who signed in elsewhere have none here."""
    if not has_password_here(request):
        raise Http404
    response: HttpResponseBase = account_views.password_change(request)
    return response
