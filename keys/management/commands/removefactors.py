"""Take all second factors off a member who has lost them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from estuary_admin.security.factors import remove_all
from estuary_admin.security.member_sessions import end, living
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action


class Command(BaseCommand):
    help = "Remove a member's passkeys, app and recovery codes, and end the member's sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")

    def handle(self, *_: Any, **options: Any) -> None:
        member = User.objects.filter(username__iexact=options["name"]).first()
        if member is None:
            raise CommandError(f"There is no member called {options['name']}.")
        with transaction.atomic():
            removed = remove_all(member)
            end(living(member))  # with the phone somebody may have an open session
            if removed:
                record_action(
                    Actor(None, "", "manage.py"), Action.FACTOR_REMOVED, on_behalf_of=member
                )
        self.stdout.write(f"Removed {removed} second factors of {member.username}.")
