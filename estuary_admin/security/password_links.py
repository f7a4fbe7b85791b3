"""Links by which members of local accounts set a password: for one use, within 48 hours.

A link is worth a password until it is used, so only the hash of its secret is kept.
"""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from estuary_admin.security import member_sessions
from estuary_admin.security.models import MemberSession, PasswordLink
from estuary_admin.sso.models import Identity

LIFETIME = timedelta(hours=48)
PREFIX = "link-"  # by which logs and reports recognise the secret
SECRET_BYTES = 32


class LinkOver(Exception):
    """The link was used, has expired, was replaced by another one, or never existed."""


def local_accounts_are_on() -> bool:
    return bool(settings.SSO.is_local or settings.SSO.local_fallback)


def reason_against(member: User) -> str:
    """Why a link can do nothing for this member, as a sentence; "" when it can."""
    if not local_accounts_are_on():
        return "Members of this console sign in by single sign-on: it keeps no passwords."
    if not member.is_active:
        return "The member is disabled. Enable them first."
    linked = Identity.objects.filter(member=member, state=Identity.State.LINKED)
    is_from_outside = linked.exists()  # one that waits for an admin may be a stranger's
    if is_from_outside and not member.has_usable_password():
        return "The member signs in by single sign-on and has no password here."
    return ""


@sensitive_variables("secret")
def make(member: User) -> str:
    """Make a link, which ends a former one; returns its secret, which is kept nowhere."""
    secret = PREFIX + base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).decode().rstrip("=")
    now = timezone.now()
    PasswordLink.objects.update_or_create(
        member=member,
        defaults={
            "secret_hash": _hash_of(secret),
            "made_at": now,
            "expires_at": now + LIFETIME,
        },
    )
    return secret


@sensitive_variables("secret")
def open_link(secret: str) -> PasswordLink:
    """The link with this secret, if it works. Raises LinkOver."""
    found = PasswordLink.objects.filter(secret_hash=_hash_of(secret), member__is_active=True)
    link = found.filter(expires_at__gt=timezone.now()).select_related("member").first()
    if link is None or reason_against(link.member):
        raise LinkOver
    return link


@sensitive_variables("password")
def set_password(link: PasswordLink, password: str) -> User:
    """Set the password and end the link and the member's sessions. Raises LinkOver."""
    member = link.member
    member.set_password(password)  # slow on purpose, so before the transaction
    with transaction.atomic():
        rows = PasswordLink.objects.filter(pk=link.pk, secret_hash=link.secret_hash)
        if not rows.filter(expires_at__gt=timezone.now()).delete()[0]:
            raise LinkOver
        member.save(update_fields=["password"])
        member_sessions.end(MemberSession.objects.filter(member=member))
    return member


def open_link_of(member: User) -> PasswordLink | None:
    return PasswordLink.objects.filter(member=member, expires_at__gt=timezone.now()).first()


def end_of(member: User) -> int:
    """End the member's link; returns how many there were."""
    return PasswordLink.objects.filter(member=member).delete()[0]


def _hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
