"""The members of the demo: alice and carol are connected, bob has a key to connect."""

from __future__ import annotations

from django.contrib.auth.models import Group, User

from estuary_admin.members import ADMINS
from keys.actors import Actor
from keys.sandbox import Sandbox
from keys.sandbox.seeding import seed_showcase
from keys.token.stored_tokens import connect_token

#: The number of contents in each account.
MEMBERS = {"alice": 1200, "bob": 3, "carol": 40}


def seed_team(node: Sandbox, password: str) -> str:
    """Make members and their accounts; returns the token that bob can connect."""
    tokens, members = {}, {}
    for name, contents in MEMBERS.items():
        account = node.add_user(name, contents=contents)
        tokens[name] = node.add_key(account, label="console")
        members[name] = User.objects.create_user(name, password=password)
        if name == "alice":
            seed_showcase(node, account)
    members["carol"].groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    for name in ("alice", "carol"):
        connect_token(Actor(members[name], "", ""), tokens[name])
    return tokens["bob"]
