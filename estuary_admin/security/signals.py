"""What allauth tells of factors and passwords becomes events of ours."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import password_changed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
    authenticator_used,
)
from django.contrib.auth.models import User
from django.dispatch import receiver
from django.http import HttpRequest

from estuary_admin.sso.events import Event, tell

#: How the audit calls them.
KINDS = {"totp": "app", "webauthn": "passkey", "recovery_codes": "recovery codes"}


@receiver(authenticator_added)
def on_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(request, Event.FACTOR_ADDED, user, factor=KINDS[authenticator.type])


@receiver(authenticator_removed)
def on_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(request, Event.FACTOR_REMOVED, user, factor=KINDS[authenticator.type])


@receiver(authenticator_reset)
def on_new_codes(request: HttpRequest, user: User, **_: Any) -> None:
    tell(request, Event.RECOVERY_CODES_MADE, user)


@receiver(authenticator_used)
def on_used(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(request, Event.FACTOR_USED, user, factor=KINDS[authenticator.type])


@receiver(password_changed)
def on_password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    tell(request, Event.PASSWORD_CHANGED, user)
