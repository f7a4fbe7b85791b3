"""Members of local accounts: admins invite them, and make links by which they set a password."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from estuary_admin.members import ADMINS
from estuary_admin.security import password_links
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.notices.acting_admins import link_made
from keys.notices.outbox import enqueue


class NoLink(Exception):
    """No link was made; the message is the sentence for the page."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


class NameTaken(Exception):
    """Another request has just made a member of this name."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """The account to make for an invited member."""

    username: str
    email: str
    is_admin: bool


@sensitive_variables("secret")
def invite(actor: Actor, invitation: Invitation) -> tuple[User, str]:
    """Make a member without a password; returns the member and the secret of a link to set one.

    Raises NoLink without local accounts, and NameTaken.
    """
    _require_local_accounts()
    try:
        with transaction.atomic():
            member = User(username=invitation.username, email=invitation.email)
            member.set_unusable_password()
            member.save()
            if invitation.is_admin:
                member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
            secret = password_links.make(member)
            record_action(
                actor,
                Action.MEMBER_INVITED,
                on_behalf_of=member,
                detail={"role": "admin" if invitation.is_admin else "member"},
            )
    except IntegrityError:
        raise NameTaken from None
    return member, secret


@sensitive_variables("secret")
def make_link(actor: Actor, member: User) -> str:
    """Make a link for a member, who is told; returns its secret. Raises NoLink."""
    _require_local_accounts()
    if member.pk == actor.known_member.pk:
        raise NoLink("Change your own password on your account page.")
    if reason := password_links.reason_against(member):
        raise NoLink(reason)
    with transaction.atomic():
        secret = password_links.make(member)
        record_action(
            actor,
            Action.PASSWORD_LINK_MADE,
            on_behalf_of=member,
            detail={"kind": "reset" if member.has_usable_password() else "invitation"},
        )
        enqueue(member, link_made(member, actor.known_member.get_username()))
    return secret


def end_link(actor: Actor, member: User) -> bool:
    """End the member's link; False when there is none."""
    with transaction.atomic():
        if not password_links.end_of(member):
            return False
        record_action(actor, Action.PASSWORD_LINK_ENDED, on_behalf_of=member)
    return True


def _require_local_accounts() -> None:
    if not password_links.local_accounts_are_on():
        raise NoLink("Members of this console sign in by single sign-on: it keeps no passwords.")
