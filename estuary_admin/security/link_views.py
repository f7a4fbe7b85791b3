"""The page behind a link by which a member sets a password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.security import password_links
from estuary_admin.security.password_forms import LinkPasswordForm
from estuary_admin.security.password_links import LinkOver
from estuary_admin.security.throttles import tell_once
from estuary_admin.sso.events import Event, tell


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
@sensitive_post_parameters()
@sensitive_variables("secret")
def password_link(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Set a password. Opening the page uses nothing up: mail scanners open links too."""
    if not password_links.local_accounts_are_on():
        raise Http404
    try:
        link = password_links.open_link(secret)
        form = LinkPasswordForm(request.POST or None, member=link.member)
        if request.method == "POST" and form.is_valid():
            member = password_links.set_password(link, form.cleaned_data["password1"])
            tell(request, Event.PASSWORD_SET, member)
            messages.success(request, "Your password is set. Sign in with it now.")
            return redirect(_sign_in_page())
    except LinkOver:
        tell_once(request, Event.LINK_REFUSED)
        over = {"sign_in_page": _sign_in_page()}
        return render(request, "account/password_link_over.html", over, status=404)
    context = {"form": form, "member": link.member, "expires_at": link.expires_at}
    return render(request, "account/password_link.html", context)


def _sign_in_page() -> str:
    """The name of the page where a password is asked for."""
    return "account_login" if settings.SSO.is_local else "account_local"
