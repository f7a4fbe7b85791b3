"""Receives the signals of Django and allauth about sign-ins, factors and passwords."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.signals import password_changed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
    authenticator_used,
)
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from estuary_admin.security import known_devices, member_sessions, password_links
from estuary_admin.security.factors import HAS_FACTOR
from estuary_admin.security.models import MemberSession
from estuary_admin.security.proof_methods import SIGNED_IN_AT
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.sessions import OIDC, PROVED_AT, PROXY

#: Names in the audit.
FACTOR_NAMES = {"totp": "app", "webauthn": "passkey", "recovery_codes": "recovery codes"}


@receiver(user_logged_in)
def on_sign_in(request: HttpRequest, user: User, **_: Any) -> None:
    """A sign-in here is a proof; one by a proxy or a provider may be older than this request."""
    session = request.session
    session[SIGNED_IN_AT] = time.time()
    if session[BACKEND_SESSION_KEY] not in {OIDC, PROXY}:
        session[PROVED_AT] = session[SIGNED_IN_AT]
        known_devices.remember(request, user)
    member_sessions.begin(request, user)


@receiver(post_save, sender=User)
def on_member_saved(instance: User, **_: Any) -> None:
    """End the sessions of a switched-off member: switched on again, no old cookie works."""
    if not instance.is_active:
        member_sessions.end(MemberSession.objects.filter(member=instance))
        password_links.end_of(instance)


@receiver(user_logged_out)
def on_sign_out(request: HttpRequest, **_: Any) -> None:
    MemberSession.objects.filter(pk=request.session.get(member_sessions.SESSION_ROW, 0)).delete()


@receiver(authenticator_added)
def on_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(request, Event.FACTOR_ADDED, user, factor=FACTOR_NAMES[authenticator.type])


@receiver(authenticator_removed)
def on_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    request.session.pop(HAS_FACTOR, None)
    tell(request, Event.FACTOR_REMOVED, user, factor=FACTOR_NAMES[authenticator.type])


@receiver(authenticator_reset)
def on_new_codes(request: HttpRequest, user: User, **_: Any) -> None:
    tell(request, Event.RECOVERY_CODES_MADE, user)


@receiver(authenticator_used)
def on_used(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(request, Event.FACTOR_USED, user, factor=FACTOR_NAMES[authenticator.type])


@receiver(password_changed)
def on_password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    """End the member's other sessions, which the new password has made invalid, and their link."""
    password_links.end_of(user)
    member_sessions.follow_new_key(request.session)
    member_sessions.end(member_sessions.others(request))
    tell(request, Event.PASSWORD_CHANGED, user)
