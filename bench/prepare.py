"""Run in the console's environment: database, static files, members and their sessions.

It reads members from standard input as JSON (name to token) and prints their cookies as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from django.test import Client
    from django.utils.crypto import get_random_string

    from bench.plan import PLAIN_MEMBER, PLAIN_SESSION, ROUTES_MEMBER
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
        if name == PLAIN_MEMBER:
            cookies[PLAIN_SESSION] = f"sessionid={_plain_session(member)}"
    print(json.dumps(cookies))


def _plain_session(member: User) -> str:
    """A session as Django makes it, for the plain page."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(member.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = member.get_session_auth_hash()
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    main()
