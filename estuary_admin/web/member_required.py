"""Require sign-in on every view that is not marked `login_not_required`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseRedirect

from estuary_admin.web.redirects import go_to
from keys.upstream.redaction import holds_token


class MemberRequiredMiddleware(LoginRequiredMiddleware):
    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        # Without `next` for htmx, which asked for a part, and for an address that holds a token.
        if getattr(request, "htmx", False) or holds_token(request.get_full_path()):
            return go_to(request, self.get_login_url(view_func))  # type: ignore[return-value]
        return super().handle_no_permission(request, view_func)
