"""Create a local member."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from estuary_admin.management.passwords import new_password
from estuary_admin.members import ADMINS, name_problem
from estuary_admin.sso.events import Event, tell


class Command(BaseCommand):
    help = "Create a local member (asks for the password unless --password-stdin is given)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--admin", action="store_true", help="make the member an admin")
        parser.add_argument("--email", default="")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        name = User.normalize_username(options["name"])
        if problem := name_problem(name, options["email"]):
            raise CommandError(problem)
        member = User(username=name, email=options["email"])
        member.set_password(new_password(member, from_stdin=options["password_stdin"]))
        with transaction.atomic():
            member.save()
            if options["admin"]:
                member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
            role = "admin" if options["admin"] else "member"
            tell(None, Event.MEMBER_CREATED, member, role=role)
        self.stdout.write(f"Made {role} {member.username}.")
