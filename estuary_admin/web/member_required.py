"""Require sign-in on every view that is not marked `login_not_required`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import resolve_url

from estuary_admin.web.redirects import go_to, page_of


class MemberRequiredMiddleware(LoginRequiredMiddleware):
    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        if SESSION_KEY in request.session:
            # The member is switched off. Switched on again, this session must not work.
            request.session.flush()
        address = resolve_url(self.get_login_url(view_func))
        if page := page_of(request):
            address = f"{address}?{urlencode({'next': page}, safe='/')}"
        return go_to(request, address)  # type: ignore[return-value]
