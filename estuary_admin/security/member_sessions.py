"""Listing and ending a member's sessions; each ends with the next request, on every process."""

from __future__ import annotations

import time
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from estuary_admin.security.models import MemberSession
from estuary_admin.security.user_agents import device_of
from estuary_admin.web.client_address import client_address

ROW = "member_session"  # in the session: the row about it
SEEN_EVERY = 300  # seconds
REMEMBERED = 10_000  # sessions, by one process


def begin(request: HttpRequest, member: User) -> None:
    """From now on this session is listed; rows of sessions that must be over go."""
    session = request.session
    if session.session_key is None:
        session.save()
    longest = timedelta(seconds=settings.SESSION_COOKIE_AGE + 2 * SEEN_EVERY)
    MemberSession.objects.filter(member=member, last_seen_at__lt=timezone.now() - longest).delete()
    row, _ = MemberSession.objects.update_or_create(
        session_key=session.session_key,
        defaults={
            "member": member,
            "device": device_of(request.META.get("HTTP_USER_AGENT", "")),
            "address": client_address(request),
            "signed_in_at": timezone.now(),
            "last_seen_at": timezone.now(),
        },
    )
    session[ROW] = row.pk


def living(member: User) -> list[MemberSession]:
    """Those that still open something, the one seen last first."""
    rows = list(MemberSession.objects.filter(member=member))
    keys = [row.session_key for row in rows]
    alive = set(
        Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()).values_list(
            "session_key", flat=True
        )
    )
    if over := [row.pk for row in rows if row.session_key not in alive]:
        MemberSession.objects.filter(pk__in=over).delete()
    return [row for row in rows if row.session_key in alive]


def end(rows: list[MemberSession]) -> None:
    """Delete the sessions themselves, through the store, so that no cache keeps one."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for row in rows:
        store(row.session_key).delete()
    MemberSession.objects.filter(pk__in=[row.pk for row in rows]).delete()


def others(request: HttpRequest) -> list[MemberSession]:
    own = request.session.session_key
    return [row for row in living(request.user) if row.session_key != own]  # type: ignore[arg-type]


def moved(session: SessionBase) -> None:
    """The session has a new key, as after a change of the password."""
    MemberSession.objects.filter(pk=session.get(ROW, 0)).update(session_key=session.session_key)


class Seen:
    """When this process last wrote down that a session was seen: a hint, which may get lost."""

    def __init__(self) -> None:
        self._written: dict[int, float] = {}

    def note(self, row: int) -> None:
        now = time.time()
        if now - self._written.get(row, -SEEN_EVERY) < SEEN_EVERY:
            return
        if len(self._written) >= REMEMBERED:
            self._written.clear()
        self._written[row] = now
        try:
            MemberSession.objects.filter(pk=row).update(last_seen_at=timezone.now())
        except DatabaseError:  # a page is worth more than when somebody was seen
            return


seen = Seen()
