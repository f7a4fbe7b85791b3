"""End one's own sessions from the account page."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from estuary_admin.security.member_sessions import end, others
from estuary_admin.security.models import MemberSession
from estuary_admin.sso.events import Event, tell
from estuary_admin.web.redirects import go_to


@require_POST
def session_end(request: HttpRequest, pk: int) -> HttpResponseBase:
    row = get_object_or_404(MemberSession, pk=pk, member=request.user)
    if row.session_key == request.session.session_key:
        messages.info(request, "This is the session you are using. Sign out to end it.")
        return go_to(request, settings.ACCOUNT_PAGE)
    end([row])
    tell(request, Event.SESSION_ENDED_BY_MEMBER, device=row.device, address=row.address)
    messages.success(request, f"Ended the session of {row.device}.")
    return go_to(request, settings.ACCOUNT_PAGE)


@require_POST
def sessions_end_others(request: HttpRequest) -> HttpResponseBase:
    rows = others(request)
    end(rows)
    if rows:
        tell(request, Event.SESSIONS_ENDED_BY_MEMBER, sessions=str(len(rows)))
    count = f"{len(rows)} other session{'' if len(rows) == 1 else 's'}"
    messages.success(request, f"Ended {count}." if rows else "There was no other session.")
    return go_to(request, settings.ACCOUNT_PAGE)
