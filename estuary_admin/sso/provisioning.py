"""Finds or creates the member of a proved identity; a taken name waits for an admin."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from estuary_admin.members import namesakes_of
from estuary_admin.sso.config import Config
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.identity_values import ProvedIdentity
from estuary_admin.sso.models import Identity
from estuary_admin.sso.refusals import NotAdmitted, Refused

LAST_SEEN_INTERVAL = timedelta(minutes=5)  # saves a write with each request


def admitted(request: HttpRequest, proved: ProvedIdentity, sso: Config) -> Identity:
    """Return the linked identity of a person who may sign in, or raise Refused."""
    if not may_sign_in(proved.groups, sso):
        known = Identity.objects.filter(source=proved.source, stable_id=proved.stable_id)
        known.filter(is_admitted=True).update(is_admitted=False)  # No longer counts as an admin.
        raise Refused(NotAdmitted.NOT_IN_GROUPS)
    identity = find(proved) or make(request, proved, sso)
    keep_current(identity, proved)
    if identity.is_pending:
        raise Refused(NotAdmitted.PENDING)
    if not identity.member.is_active:
        raise Refused(NotAdmitted.SWITCHED_OFF)
    return identity


def may_sign_in(groups: frozenset[str] | None, sso: Config) -> bool:
    """With SSO_MEMBER_GROUPS set, a person without groups is refused as well."""
    if not sso.member_groups:
        return True
    return bool((groups or frozenset()) & (sso.member_groups | sso.admin_groups))


def find(proved: ProvedIdentity) -> Identity | None:
    return (
        Identity.objects.select_related("member")
        .filter(source=proved.source, stable_id=proved.stable_id)
        .first()
    )


def make(request: HttpRequest, proved: ProvedIdentity, sso: Config) -> Identity:
    """Create the identity. If its name is taken, an admin must link it: a name proves nothing."""
    namesake = next(iter(namesakes_of(proved.username)), None)
    if namesake is None and not sso.auto_create:
        raise Refused(NotAdmitted.UNKNOWN_MEMBER)
    try:
        with transaction.atomic():
            member = namesake or User.objects.create_user(proved.username, email=proved.email)
            identity = Identity.objects.create(
                source=proved.source,
                stable_id=proved.stable_id,
                member=member,
                name=proved.name,
                email=proved.email,
                state=Identity.State.PENDING if namesake else Identity.State.LINKED,
            )
    except IntegrityError:  # another request of the same person came first
        if identity_made := find(proved):
            return identity_made
        raise Refused(NotAdmitted.PENDING) from None
    event = Event.IDENTITY_PENDING if namesake else Event.IDENTITY_CREATED
    tell(request, event, None if namesake else member, name=member.username)
    return identity


def keep_current(identity: Identity, proved: ProvedIdentity) -> None:
    """Update name and e-mail from the source; they never decide which member this is."""
    current = {"name": proved.name, "email": proved.email, "is_admitted": True}
    changed = {name: value for name, value in current.items() if getattr(identity, name) != value}
    now = timezone.now()
    if changed or now - identity.last_seen > LAST_SEEN_INTERVAL:
        Identity.objects.filter(pk=identity.pk).update(last_seen=now, **changed)
