"""`manage.py members`: the operator lists, switches off, and resets members."""

from __future__ import annotations

import getpass
import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from estuary_admin.members import is_admin
from estuary_admin.sso.models import Identity
from keys.audit.vocabulary import Action
from keys.models import AuditEntry
from tests.conftest import PASSWORD, signed_in
from tests.estuary_admin.security.conftest import app, is_in, type_password, typed_in
from tests.keys.evidence import audited, last_row

__all__ = ["app"]

NEW = "another horse battery"


def members(*arguments: str) -> str:
    out = io.StringIO()
    call_command("members", *arguments, stdout=out)
    return out.getvalue()


def recorded(action: Action, member: User) -> bool:
    row = last_row(action)
    return (row.actor, row.on_behalf_of, row.request_id) == (None, member, "manage.py")


@pytest.fixture
def typed_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NEW}\n"))


def test_the_list_shows_role_state_means_and_last_sign_in(alice: User, carol: User) -> None:
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(alice)
    User.objects.filter(pk=carol.pk).update(last_login=datetime(2026, 11, 28, 9, 5, tzinfo=UTC))
    gone = User.objects.create_user("gone\u202e", is_active=False)
    Identity.objects.create(member=gone, source="x", stable_id="1", state="linked")

    lines = [line.split("  ") for line in members("list").splitlines()]

    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["NAME", "ROLE", "STATE", "SIGNS IN BY", "LAST SIGN-IN (UTC)"],
        ["alice", "member", "on", "password, app", "never"],
        ["carol", "admin", "on", "password", "2026-11-28 09:05"],
        [r"'gone\u202e'", "member", "off", "single sign-on", "never"],
    ]


def test_the_list_makes_few_queries(alice: User, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        User.objects.create_user(f"member-{number}")

    with django_assert_max_num_queries(3):
        members("list")


def test_a_disabled_member_is_out_for_good_until_enabled(alice: User, carol: User) -> None:
    client = typed_in()

    assert members("disable", "Alice") == "Switched alice off and ended their sessions.\n"
    assert recorded(Action.SWITCHED_OFF, alice)
    assert client.get("/account/").status_code == 302
    assert members("disable", "alice") == "alice was switched off already.\n"

    assert members("enable", "alice") == "Switched alice on.\n"
    assert recorded(Action.SWITCHED_ON, alice)
    assert members("enable", "alice") == "alice was switched on already.\n"
    assert client.get("/account/").status_code == 302
    assert is_in(typed_in())


def test_the_admin_role_is_given_and_taken(alice: User, carol: User) -> None:
    assert members("admin", "alice") == "Made alice an admin.\n"
    assert members("admin", "alice") == "alice was an admin already.\n"
    assert recorded(Action.MADE_ADMIN, alice)
    assert is_admin(User.objects.get(pk=alice.pk))

    assert members("admin", "carol", "--remove") == "carol is no admin any more.\n"
    assert members("admin", "carol", "--remove") == "carol was no admin.\n"
    assert recorded(Action.ADMIN_ENDED, carol)
    assert not is_admin(User.objects.get(pk=carol.pk))


@pytest.mark.parametrize("arguments", [("disable", "carol"), ("admin", "carol", "--remove")])
def test_the_last_admin_who_can_sign_in_is_kept(
    alice: User, carol: User, arguments: tuple[str, ...]
) -> None:
    members("admin", "alice")
    members("disable", "alice")

    with pytest.raises(CommandError, match="the last admin who can sign in"):
        members(*arguments)

    assert is_admin(User.objects.get(pk=carol.pk))
    members(*arguments, "--force")
    assert not is_admin(User.objects.get(pk=carol.pk))


def test_a_reset_sets_the_password_and_removes_the_factors(
    alice: User, carol: User, typed_password: None
) -> None:
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(alice)
    TOTP.activate(carol, "JBSWY3DPEHPK3PXP")
    thief = signed_in(alice)

    said = members("reset", "Alice", "--password-stdin")

    assert said == "alice: set a new password, removed 2 second factors, ended all sessions.\n"
    assert thief.get("/account/").status_code == 302
    client = Client()
    client.post("/accounts/login/", {"login": "alice", "password": NEW})
    assert is_in(client)
    assert recorded(Action.PASSWORD_RESET, alice)
    assert recorded(Action.FACTOR_REMOVED, alice)
    assert [one.user for one in Authenticator.objects.all()] == [carol]


def test_a_lost_phone_alone_keeps_the_password(alice: User) -> None:
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    thief = signed_in(alice)

    said = members("reset", "alice", "--keep-password")

    assert said == "alice: removed 1 second factor, ended all sessions.\n"
    assert thief.get("/account/").status_code == 302
    client = Client()
    type_password(client)
    assert is_in(client)


def test_a_forgotten_password_alone_keeps_the_factors(
    alice: User, app: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: NEW)

    assert "set a new password, ended" in members("reset", "alice", "--keep-factors")

    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert Authenticator.objects.count() == 2


def test_nothing_to_remove_is_said_and_not_recorded(alice: User) -> None:
    assert "removed 0 second factors" in members("reset", "alice", "--keep-password")
    assert audited() == []


def test_a_weak_password_changes_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    client = signed_in(alice)

    with pytest.raises(CommandError, match="at least 12 characters"):
        members("reset", "alice", "--password-stdin")

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert client.get("/account/").status_code == 200
    assert not AuditEntry.objects.filter(action=Action.PASSWORD_RESET).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["disable", "enable", "admin", "reset"])
def test_a_name_that_nobody_has_is_told(action: str) -> None:
    with pytest.raises(CommandError, match="no member called nobody"):
        members(action, "nobody")


def test_the_exact_name_wins_over_another_case(alice: User) -> None:
    other = User.objects.create_user("ALICE")

    members("disable", "ALICE")

    other.refresh_from_db()
    alice.refresh_from_db()
    assert (other.is_active, alice.is_active) == (False, True)
    with pytest.raises(CommandError, match="no member called Alice"):
        members("disable", "Alice")


@pytest.mark.parametrize("name", ["änne", "A\u0308NNE"])
def test_a_member_is_found_by_a_name_that_reads_the_same(db: None, name: str) -> None:
    anne = User.objects.create_user("Änne")

    members("disable", name)

    anne.refresh_from_db()
    assert not anne.is_active


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_an_admin_who_types_a_password(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds_a_lock: list[bool] = []

    def typed(_prompt: str) -> str:
        holds_a_lock.append(connection.in_atomic_block)
        return NEW

    monkeypatch.setattr(getpass, "getpass", typed)

    members("reset", "alice")

    assert holds_a_lock == [False, False]
