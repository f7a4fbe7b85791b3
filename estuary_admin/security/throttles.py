"""The response and the audit row when a limit of allauth stops an attempt."""

from __future__ import annotations

import errno
import uuid

from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from estuary_admin.observability.metrics import SIGN_INS
from estuary_admin.sso.events import Event, tell
from estuary_admin.web.client_address import client_address

WINDOW_SECONDS = 60
#: What each limited page is for, as the audit names it.
LIMITED_ACTIONS = {
    "account_login": "sign-in",
    "account_local": "sign-in",
    "oidc_login": "sign-in",
    "mfa_login_webauthn": "passkey sign-in",
    "account_reauthenticate": "confirmation",
    "account_change_password": "password change",
}


def too_many_attempts(request: HttpRequest) -> HttpResponse:
    """Called by allauth as `handler429`."""
    require_storage()
    match = request.resolver_match
    record_throttled(request, LIMITED_ACTIONS.get(str(match and match.url_name), "request"))
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(WINDOW_SECONDS)
    return response


def record_throttled(request: HttpRequest, action: str, member: User | None = None) -> None:
    """Record a throttled attempt, once a minute for each action and source."""
    if action == "sign-in":
        SIGN_INS.labels("refused").inc()
    tell_once(request, Event.THROTTLED, member, action=action)


def tell_once(
    request: HttpRequest, event: Event, member: User | None = None, **detail: str
) -> None:
    """Report an event once a minute: an audit that anyone can fill records nothing."""
    about = member or request.user
    name = [event, about.pk, client_address(request), *detail.values()]
    if cache.add(":".join(str(part) for part in name).replace(" ", "-"), 1, WINDOW_SECONDS):
        tell(request, event, member, None, **detail)


def require_storage() -> None:
    """Raise OSError if the cache stores nothing: allauth then refuses every attempt."""
    if not cache.add(f"storage-probe:{uuid.uuid4().hex}", 1, 1):
        raise OSError(errno.ENOSPC, "The cache cannot store anything.")
