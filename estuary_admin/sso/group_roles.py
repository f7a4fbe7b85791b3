"""Gives and takes the admin role by the groups that the source names."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from estuary_admin.members import ADMINS, is_admin
from estuary_admin.sso.config import Config
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.models import Identity

LAST_ADMIN_KEPT = "sso_last_admin_kept"  # in the session: recorded once, not with each request


def follow_groups(
    request: HttpRequest, member: User, groups: frozenset[str] | None, sso: Config
) -> None:
    """Without groups the role stays; with groups they decide at once."""
    if groups is None or not sso.admin_groups:
        return
    wanted = bool(groups & sso.admin_groups)
    if wanted == is_admin(member):
        return
    event = _give(member) if wanted else _take(member)
    if event is Event.LAST_ADMIN_KEPT:
        if request.session.get(LAST_ADMIN_KEPT):
            return
        request.session[LAST_ADMIN_KEPT] = True
    tell(request, event, member)


def admins_who_can_sign_in() -> QuerySet[User]:
    """The active admins who have a way to sign in now, in the mode of single sign-on in use.

    An admin whose groups no longer let them in, or whose identity is removed, cannot administer.
    """
    sso = settings.SSO
    can_sign_in = Q()
    if sso.is_local or sso.local_fallback:
        has_password = ~Q(password__startswith=UNUSABLE_PASSWORD_PREFIX) & ~Q(password="")
        passkeys = Authenticator.objects.filter(
            user=OuterRef("pk"), type=Authenticator.Type.WEBAUTHN
        )
        can_sign_in |= has_password | Q(Exists(passkeys))
    if not sso.is_local:
        can_sign_in |= Q(
            Exists(
                Identity.objects.filter(
                    member=OuterRef("pk"),
                    state=Identity.State.LINKED,
                    is_admitted=True,
                    source__in=sso.sources,
                )
            )
        )
    return User.objects.filter(can_sign_in, groups__name=ADMINS, is_active=True)


def _give(member: User) -> Event:
    member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    member.is_console_admin = True  # type: ignore[attr-defined]
    return Event.ROLE_GIVEN


def _take(member: User) -> Event:
    with transaction.atomic():
        # The lock prevents two admins from losing the role at once, each counting on the other.
        group = Group.objects.select_for_update().get(name=ADMINS)
        if not admins_who_can_sign_in().exclude(pk=member.pk).exists():
            return Event.LAST_ADMIN_KEPT
        member.groups.remove(group)
    member.is_console_admin = False  # type: ignore[attr-defined]
    return Event.ROLE_TAKEN
