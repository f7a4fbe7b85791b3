"""Create database, static files and members; runs in the console's environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    from estuary_admin.members import ADMINS
    from keys.actors import Actor
    from keys.token.stored_tokens import connect_token

    call_command("migrate", verbosity=0)
    if not any(Path(settings.STATIC_ROOT).glob("*")):
        call_command("collectstatic", interactive=False, verbosity=0)
    wanted = json.load(sys.stdin)
    password = make_password(wanted["password"])
    for one in wanted["members"]:
        member = User.objects.create(username=one["name"], password=password)
        if one.get("admin"):
            member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
        if one.get("token"):
            connect_token(Actor(member, "", ""), one["token"])


if __name__ == "__main__":
    main()
