"""Middleware for every request of a session: list the session, require a second factor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from estuary_admin.security import interrupted_forms, known_devices
from estuary_admin.security.factors import has_factor, must_have_factor
from estuary_admin.security.interrupted_forms import INTERRUPTED_FORM
from estuary_admin.security.member_sessions import SEEN_INTERVAL_SECONDS, SESSION_ROW, begin
from estuary_admin.security.models import MemberSession
from estuary_admin.web.redirects import go_to

MAX_REMEMBERED_SESSIONS = 10_000  # in one process


class LastSeen:
    """Writes `last_seen_at` at most every five minutes for each session and process."""

    def __init__(self) -> None:
        self._written: dict[int, float] = {}

    def note(self, row: int) -> None:
        now = time.time()
        if abs(now - self._written.get(row, -SEEN_INTERVAL_SECONDS)) < SEEN_INTERVAL_SECONDS:
            return
        if len(self._written) >= MAX_REMEMBERED_SESSIONS:
            self._written.clear()
        self._written[row] = now
        try:
            MemberSession.objects.filter(pk=row).update(last_seen_at=timezone.now())
        except DatabaseError:  # the page matters more than the time
            return


last_seen = LastSeen()


class MemberSessionMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Look at the session first: reading `request.user` would cost a query here.
        if SESSION_ROW in request.session:
            if INTERRUPTED_FORM in request.session:
                interrupted_forms.forget_if_over(request)
            last_seen.note(request.session[SESSION_ROW])
        elif isinstance(request.user, User):  # a session from before sessions were listed
            begin(request, request.user)
        response = self.get_response(request)
        if hasattr(request, "signed_in_member"):
            known_devices.mark_browser(request, response)
        return response


class SecondFactorMiddleware:
    """With REQUIRE_MFA, members without a second factor can only add one or sign out."""

    #: URL names: the pages to add a factor, the proof they require, and sign-out.
    OPEN = {
        "mfa_index",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "account_reauthenticate",
        "account_logout",
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponseBase | None:
        match = request.resolver_match
        if not settings.REQUIRE_MFA or (match and match.url_name in self.OPEN):
            return None
        if not must_have_factor(request) or has_factor(request):
            return None
        return go_to(request, "mfa_index")
