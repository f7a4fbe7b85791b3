"""Run in the console's environment: database, static files, members and their sessions.

It reads members from standard input as JSON (name to token) and prints their cookies as JSON.
"""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from django.test import Client
    from django.utils.crypto import get_random_string

    from bench.plan import ROUTES_MEMBER
    from estuary_admin.members import ADMINS
    from keys.account.preferences import TIME_ZONE_COOKIE
    from keys.actors import Actor
    from keys.token.stored_tokens import connect_token

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    password = make_password("correct horse battery")
    cookies = {}
    for name, token in json.load(sys.stdin).items():
        member = User.objects.create(username=name, password=password)
        if name == ROUTES_MEMBER:
            member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
        connect_token(Actor(member, "", ""), token)
        browser = Client()
        browser.force_login(member)  # a sign-in without checking the password
        cookies[name] = "; ".join(
            [
                f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}",
                f"{settings.CSRF_COOKIE_NAME}={get_random_string(32)}",
                f"{TIME_ZONE_COOKIE}=Europe%2FBerlin",
            ]
        )
    print(json.dumps(cookies))


if __name__ == "__main__":
    main()
