"""List members; switch them off and on, change their role, reset what they sign in with."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Exists, OuterRef

from estuary_admin.management.passwords import new_password
from estuary_admin.members import ADMINS, namesakes_of
from estuary_admin.security import password_links
from estuary_admin.security.factors import remove_all
from estuary_admin.security.member_sessions import end
from estuary_admin.security.models import MemberSession
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.group_roles import admins_who_can_sign_in
from estuary_admin.sso.models import Identity

HEADINGS = ("NAME", "ROLE", "STATE", "SIGNS IN BY", "LAST SIGN-IN (UTC)")
FACTOR_NAMES = {Authenticator.Type.TOTP: "app", Authenticator.Type.WEBAUTHN: "passkey"}


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("list", help="list all members")
        disable = actions.add_parser("disable", help="switch a member off and end their sessions")
        enable = actions.add_parser("enable", help="switch a member on again")
        admin = actions.add_parser("admin", help="make a member an admin, or end that")
        reset = actions.add_parser(
            "reset", help="set a new password, remove all second factors, end the sessions"
        )
        for named in (disable, enable, admin, reset):
            named.add_argument("name")
        admin.add_argument("--remove", action="store_true", help="take the role away")
        for guarded in (disable, admin):
            guarded.add_argument(
                "--force", action="store_true", help="even if no admin is left who can sign in"
            )
        reset.add_argument("--password-stdin", action="store_true", help="read it from stdin")
        kept = reset.add_mutually_exclusive_group()
        kept.add_argument("--keep-password", action="store_true", help="remove only the factors")
        kept.add_argument("--keep-factors", action="store_true", help="set only the password")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["action"] == "list":
            self.list_members()
            return
        if options["action"] == "reset" and not options["keep_password"]:
            member = member_called(options["name"])
            options["password"] = new_password(member, from_stdin=options["password_stdin"])
        with transaction.atomic():
            # A lock, so that two commands do not each count on the other's admin.
            Group.objects.select_for_update().get_or_create(name=ADMINS)
            named = member_called(options["name"]).pk
            member = User.objects.select_for_update(no_key=True).get(pk=named)
            done = getattr(self, options["action"])(member, options)
        self.stdout.write(done)

    def list_members(self) -> None:
        rows = [HEADINGS, *(row_of(member) for member in members_with_facts())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())

    def disable(self, member: User, options: dict[str, Any]) -> str:
        refuse_last_admin(member, force=options["force"])
        if not member.is_active:
            return f"{member.username} was switched off already."
        member.is_active = False
        member.save(update_fields=["is_active"])  # a receiver ends the sessions
        tell(None, Event.SWITCHED_OFF, member)
        return f"Switched {member.username} off and ended their sessions."

    def enable(self, member: User, _: dict[str, Any]) -> str:
        if member.is_active:
            return f"{member.username} was switched on already."
        member.is_active = True
        member.save(update_fields=["is_active"])
        tell(None, Event.SWITCHED_ON, member)
        return f"Switched {member.username} on."

    def admin(self, member: User, options: dict[str, Any]) -> str:
        group, is_admin = Group.objects.get(name=ADMINS), is_in_group(member)
        if options["remove"]:
            if not is_admin:
                return f"{member.username} was no admin."
            refuse_last_admin(member, force=options["force"])
            member.groups.remove(group)
            tell(None, Event.ADMIN_ENDED, member)
            return f"{member.username} is no admin any more."
        if is_admin:
            return f"{member.username} was an admin already."
        member.groups.add(group)
        tell(None, Event.MADE_ADMIN, member)
        return f"Made {member.username} an admin."

    def reset(self, member: User, options: dict[str, Any]) -> str:
        done = []
        if not options["keep_password"]:
            member.set_password(options["password"])
            member.save(update_fields=["password"])
            tell(None, Event.PASSWORD_RESET, member)
            password_links.end_of(member)
            done.append("set a new password")
        if not options["keep_factors"]:
            removed = remove_all(member)
            if removed:
                tell(None, Event.FACTOR_REMOVED, member)
            done.append(f"removed {removed} second factor{'' if removed == 1 else 's'}")
        # With the lost phone or password, someone else may have an open session.
        end(MemberSession.objects.filter(member=member))
        return f"{member.username}: {', '.join(done)}, ended all sessions."


def member_called(name: str) -> User:
    """The member of this name, or the only one whose name reads the same."""
    found = namesakes_of(name)
    exact = [member for member in found if member.username == name]
    if len(exact or found) != 1:
        raise CommandError(f"There is no member called {name}; see `manage.py members list`.")
    return (exact or found)[0]


def is_in_group(member: User) -> bool:
    return member.groups.filter(name=ADMINS).exists()


def refuse_last_admin(member: User, *, force: bool) -> None:
    admins = admins_who_can_sign_in()
    is_last = admins.filter(pk=member.pk).exists() and not admins.exclude(pk=member.pk).exists()
    if is_last and not force:
        raise CommandError(
            f"{member.username} is the last admin who can sign in. Make another one first, with "
            "`manage.py members admin NAME`, or repeat the command with --force."
        )


def members_with_facts() -> list[User]:
    identities = Identity.objects.filter(member=OuterRef("pk"), state=Identity.State.LINKED)
    admins = Group.objects.filter(name=ADMINS, user=OuterRef("pk"))
    members = User.objects.annotate(has_identity=Exists(identities), is_listed_admin=Exists(admins))
    return list(members.prefetch_related("authenticator_set").order_by("username"))


def row_of(member: Any) -> tuple[str, ...]:
    factors = {FACTOR_NAMES.get(factor.type, "") for factor in member.authenticator_set.all()}
    means = [
        *(["password"] if member.has_usable_password() else []),
        *sorted(factors - {""}),
        *(["single sign-on"] if member.has_identity else []),
    ]
    name = member.username
    return (
        # Single sign-on creates names that no form would accept.
        name if name.isprintable() else ascii(name),
        "admin" if member.is_listed_admin else "member",
        "on" if member.is_active else "off",
        ", ".join(means) or "nothing",
        f"{member.last_login:%Y-%m-%d %H:%M}" if member.last_login else "never",
    )
