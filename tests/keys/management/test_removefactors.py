"""A member who has lost the phone is let in again by whoever runs the console."""

from __future__ import annotations

import io

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from keys.audit.vocabulary import Action
from tests.conftest import PASSWORD, signed_in
from tests.keys.evidence import last_row


def remove(name: str) -> str:
    out = io.StringIO()
    call_command("removefactors", name, stdout=out)
    return out.getvalue()


def test_the_password_is_enough_again(alice: User, carol: User) -> None:
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(alice)
    thief = signed_in(alice)
    TOTP.activate(carol, "JBSWY3DPEHPK3PXP")

    assert remove("Alice") == "Removed 2 second factors of alice.\n"

    assert thief.get("/account/").status_code == 302
    client = Client()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(alice.pk)
    row = last_row(Action.FACTOR_REMOVED)
    assert (row.actor, row.on_behalf_of, row.request_id) == (None, alice, "manage.py")
    assert [one.user for one in Authenticator.objects.all()] == [carol]


def test_nothing_to_remove_is_said_and_not_recorded(alice: User) -> None:
    assert remove("alice") == "Removed 0 second factors of alice.\n"


@pytest.mark.django_db
def test_a_name_that_nobody_has_is_told() -> None:
    with pytest.raises(CommandError, match="no member called nobody"):
        remove("nobody")
