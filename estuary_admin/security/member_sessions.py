"""List and end a member's sessions. An ended session is refused at its next request."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from estuary_admin.security.models import MemberSession
from estuary_admin.security.user_agents import device_name
from estuary_admin.web.client_address import client_address

SESSION_ROW = "member_session"  # session key: pk of the MemberSession
SEEN_INTERVAL_SECONDS = 300


def begin(request: HttpRequest, member: User) -> None:
    """List this session from now on, and remove rows of sessions that have expired."""
    session = request.session
    if session.session_key is None:
        session.save()
    longest = timedelta(seconds=settings.SESSION_COOKIE_AGE + 2 * SEEN_INTERVAL_SECONDS)
    MemberSession.objects.filter(member=member, last_seen_at__lt=timezone.now() - longest).delete()
    row, _ = MemberSession.objects.update_or_create(
        session_key=session.session_key,
        defaults={
            "member": member,
            "device": device_name(request.META.get("HTTP_USER_AGENT", "")),
            "address": client_address(request),
            "signed_in_at": timezone.now(),
            "last_seen_at": timezone.now(),
        },
    )
    session[SESSION_ROW] = row.pk


def living(member: User) -> list[MemberSession]:
    """Return the sessions that are still valid, last seen first; remove the other rows."""
    rows = list(MemberSession.objects.filter(member=member))
    alive = _alive_among(rows)
    if over := [row.pk for row in rows if row.session_key not in alive]:
        MemberSession.objects.filter(pk__in=over).delete()
    return [row for row in rows if row.session_key in alive]


def count_living(member: User) -> int:
    """Return how many sessions are still valid, and remove nothing: for a page that only shows."""
    return len(_alive_among(MemberSession.objects.filter(member=member)))


def _alive_among(rows: Iterable[MemberSession]) -> set[str]:
    keys = [row.session_key for row in rows]
    found = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return set(found.values_list("session_key", flat=True))


def end(rows: Iterable[MemberSession]) -> None:
    """Delete the sessions through the session store, so that its cache drops them too."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    ended = list(rows)
    for row in ended:
        store(row.session_key).delete()
    MemberSession.objects.filter(pk__in=[row.pk for row in ended]).delete()


def others(request: HttpRequest) -> list[MemberSession]:
    own = request.session.session_key
    return [row for row in living(request.user) if row.session_key != own]  # type: ignore[arg-type]


def follow_new_key(session: SessionBase) -> None:
    """Update the row after the session got a new key, as a password change gives it."""
    MemberSession.objects.filter(pk=session.get(SESSION_ROW, 0)).update(
        session_key=session.session_key
    )
