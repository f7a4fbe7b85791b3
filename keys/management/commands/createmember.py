"""Make a local member."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from estuary_admin.members import ADMINS


class Command(BaseCommand):
    help = "Make a local member (asks for the password unless --password-stdin is given)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--admin", action="store_true", help="make the member an admin")
        parser.add_argument("--email", default="")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        # Without regard to case, as at sign-in.
        if User.objects.filter(username__iexact=options["name"]).exists():
            raise CommandError(f"There is a member called {options['name']} already.")
        member = User(username=options["name"], email=options["email"])
        password = read_password(from_stdin=options["password_stdin"])
        try:
            member.full_clean(exclude=["password"])
            validate_password(password, member)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        member.set_password(password)
        with transaction.atomic():
            member.save()
            if options["admin"]:
                member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
        role = "admin" if options["admin"] else "member"
        self.stdout.write(f"Made {role} {member.username}.")


def read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Password again: "):
        raise CommandError("The two passwords differ.")
    return password
