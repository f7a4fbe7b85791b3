"""One member as an admin sees them: revoking for them, and reminding them to connect."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.audit.vocabulary import Action, Outcome
from keys.models import AuditEntry, Message, SeenKey, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team.forms import MemberKeyRevokeForm
from keys.team.sync import sync_due
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.evidence import last_row, revoke_elsewhere, words_of
from tests.keys.team.conftest import look_again

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


@pytest.fixture
def backup(node: Sandbox, account: Account, alice: User, token: str) -> str:
    """A key that the worker has seen in Alice's account."""
    connect(alice, token)
    secret = node.add_key(account, label="backup")
    sync_due()
    node.forget_requests()
    return secret


def revoke_page(secret: str) -> str:
    return f"/team/alice/keys/{hash_of(secret)}/revoke/"


def test_the_page_shows_connection_and_keys(admin: Client, backup: str, node: Sandbox) -> None:
    words = words_of(admin.get("/team/alice/"))

    assert "Connection Connected" in words
    assert "backup Made elsewhere" in words
    assert backup not in words
    assert node.requests == []


def test_a_key_is_revoked_with_a_reason_and_told(
    admin: Client, backup: str, node: Sandbox, alice: User
) -> None:
    response = admin.post(revoke_page(backup), {"reason": "It was in a log."}, follow=True)

    assert response.redirect_chain == [("/team/alice/", 302)]
    assert "Revoked “backup”" in words_of(response)
    row = last_row(Action.KEY_REVOKED)
    assert (row.actor_name, row.on_behalf_of_name, row.outcome) == ("carol", "alice", Outcome.DONE)
    assert row.detail["given_reason"] == "It was in a log."
    assert row.token_hash == hash_of(backup)
    [notice] = Message.objects.filter(member=alice)
    assert "carol revoked “backup” for you. Reason: It was in a log." in notice.text
    assert not SeenKey.objects.filter(token_hash=hash_of(backup)).exists()
    # Both see it in their audit.
    for member in (alice, User.objects.get(username="carol")):
        assert "Key revoked: carol for alice" in words_of(signed_in(member).get("/audit/"))
    look_again()
    assert not AuditEntry.objects.filter(action=Action.KEY_VANISHED).exists()


@pytest.mark.parametrize("reason", ["", "EST1e2feb89-414c-443c-9027-c4d1c386bbc4ARY"])
def test_without_a_reason_nothing_is_revoked(
    admin: Client, backup: str, node: Sandbox, reason: str
) -> None:
    response = admin.post(revoke_page(backup), {"reason": reason})

    assert response.status_code == 200
    assert "414c" not in response.content.decode()
    assert node.requests == []


def test_while_estuary_is_away_nothing_is_claimed(
    admin: Client, backup: str, node: Sandbox, alice: User
) -> None:
    node.set_fault("any", Fault("502-html"))

    response = admin.post(revoke_page(backup), {"reason": "leak"})

    assert response.status_code == 502
    assert not Message.objects.filter(member=alice).exists()
    assert SeenKey.objects.filter(token_hash=hash_of(backup)).exists()


def test_a_revocation_in_doubt_is_told_as_one(
    admin: Client, backup: str, node: Sandbox, alice: User
) -> None:
    node.set_fault("revoke", Fault("silent-ok"))

    words = words_of(admin.post(revoke_page(backup), {"reason": "leak"}, follow=True))

    assert "is not revoked: Estuary still lists it" in words
    assert "tried to revoke “backup”" in Message.objects.get(member=alice).text
    assert SeenKey.objects.filter(token_hash=hash_of(backup)).exists()


def test_the_key_of_another_member_is_not_found(admin: Client, backup: str) -> None:
    User.objects.create_user("bob")

    assert admin.get(f"/team/bob/keys/{hash_of(backup)}/revoke/").status_code == 404
    assert admin.post(f"/team/nobody/keys/{hash_of(backup)}/revoke/").status_code == 404


def test_keys_of_a_disconnected_member_cannot_be_revoked(
    admin: Client, backup: str, node: Sandbox
) -> None:
    StoredToken.objects.all().delete()

    words = words_of(admin.post(revoke_page(backup), {"reason": "leak"}))

    assert "cannot revoke the key" in words
    assert node.requests == []


def test_a_member_who_is_not_connected_is_reminded(admin: Client, alice: User) -> None:
    admin.post("/team/alice/")

    assert "Connect your Estuary account" in Message.objects.get(member=alice).subject
    row = last_row(Action.CONNECTION_ASKED_FOR)
    assert (row.actor_name, row.on_behalf_of_name) == ("carol", "alice")


def test_a_connected_member_is_not_reminded(admin: Client, backup: str, alice: User) -> None:
    admin.post("/team/alice/")

    assert not Message.objects.filter(member=alice).exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_admins_act_for_members(method: str, backup: str, alice: User, node: Sandbox) -> None:
    other = signed_in(User.objects.create_user("bob"))
    for path in ("/team/alice/", revoke_page(backup)):
        assert getattr(other, method)(path, {"reason": "x"}).status_code == 403
        assert getattr(signed_in(alice), method)(path, {"reason": "x"}).status_code == 403
        assert getattr(Client(), method)(path, {"reason": "x"}).status_code == 302
    assert node.requests == []


def test_nobody_has_no_page(admin: Client) -> None:
    assert admin.get("/team/nobody/").status_code == 404


def test_a_key_that_was_gone_already_is_not_told_as_revoked(
    admin: Client, backup: str, node: Sandbox, alice: User
) -> None:
    node.remove_key(backup)

    words = words_of(admin.post(revoke_page(backup), {"reason": "leak"}, follow=True))

    assert "was already gone" in words
    message = Message.objects.get(member=alice)
    assert message.subject == "An admin tried to revoke “backup”"
    assert "It was gone already" in message.text
    assert "revoked “backup” for you" not in message.text


def test_a_key_that_the_worker_has_not_seen_yet_is_revoked_too(
    admin: Client, backup: str, node: Sandbox, account: Account
) -> None:
    new = node.add_key(account, label="made a minute ago")

    assert "made a minute ago" in words_of(admin.get(revoke_page(new)))
    words = words_of(admin.post(revoke_page(new), {"reason": "leak"}, follow=True))

    assert "Revoked “made a minute ago”" in words
    assert new not in node.state.keys


def test_a_key_that_estuary_does_not_list_to_the_member_is_not_found(
    admin: Client, backup: str, node: Sandbox
) -> None:
    foreign = node.add_key(node.add_user("eve"), label="foreign")

    assert admin.get(revoke_page(foreign)).status_code == 404
    assert admin.post(revoke_page(foreign), {"reason": "leak"}).status_code == 404
    assert foreign in node.state.keys


@pytest.mark.parametrize("seen", [True, False])
def test_a_refused_stored_token_is_told_as_the_members(
    admin: Client, backup: str, node: Sandbox, account: Account, *, seen: bool
) -> None:
    secret = backup if seen else node.add_key(account, label="new")
    node.set_fault("any", Fault("401-unknown"))

    response = admin.post(revoke_page(secret), {"reason": "leak"}, follow=True)

    assert response.redirect_chain == [("/team/alice/", 302)]
    assert "Nothing was revoked. Asked with the member's stored token" in words_of(response)
    assert secret in node.state.keys
    assert not Message.objects.filter(subject__contains="revoke").exists()


@pytest.mark.parametrize("seen", [True, False])
def test_a_list_in_doubt_is_told_as_one(
    admin: Client, backup: str, token: str, node: Sandbox, account: Account, *, seen: bool
) -> None:
    """For 10 seconds after its own end a token may still list, and is told of no keys."""
    secret = backup if seen else node.add_key(account, label="new")
    node.remove_key(token)

    words = words_of(admin.post(revoke_page(secret), {"reason": "leak"}, follow=True))

    assert "does not hold the key of the member's stored token" in words
    assert "Revoked" not in words


def test_the_page_warns_before_the_consoles_own_key_of_a_member_ends(
    admin: Client, backup: str, token: str
) -> None:
    assert "the member is disconnected" in words_of(admin.get(revoke_page(token)))
    assert "the member is disconnected" not in words_of(admin.get(revoke_page(backup)))


def test_a_stored_token_that_cannot_be_opened_revokes_nothing_and_says_why(
    admin: Client, backup: str, node: Sandbox, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = [base64.b64encode(b"o" * 32).decode()]

    words = words_of(admin.post(revoke_page(backup), {"reason": "leak"}, follow=True))

    assert "Nothing was revoked. The member's stored token cannot be opened" in words
    assert node.requests == []


def test_a_member_who_disconnects_meanwhile_keeps_the_key(
    admin: Client, backup: str, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_valid = MemberKeyRevokeForm.is_valid

    def disconnected_meanwhile(form: MemberKeyRevokeForm) -> bool:
        StoredToken.objects.all().delete()
        return is_valid(form)

    monkeypatch.setattr(MemberKeyRevokeForm, "is_valid", disconnected_meanwhile)

    words = words_of(admin.post(revoke_page(backup), {"reason": "leak"}, follow=True))

    assert "Nothing was revoked. The member is not connected." in words
    assert backup in node.state.keys


def test_a_key_that_a_list_in_doubt_lacks_is_not_called_missing(
    admin: Client, backup: str, node: Sandbox, account: Account, token: str
) -> None:
    late = node.add_key(account, label="late")
    revoke_elsewhere(node, token)
    node.remove_key(late)

    response = admin.post(revoke_page(late), {"reason": "leak"}, follow=True)

    words = words_of(response)
    assert "Nothing was revoked. Estuary's list" in words
    assert "the member's stored token" in words
    assert response.redirect_chain == [("/team/alice/", 302)]


def test_the_admin_is_told_when_the_key_was_the_consoles_own(
    admin: Client, backup: str, node: Sandbox, token: str
) -> None:
    words = words_of(admin.post(revoke_page(token), {"reason": "leak"}, follow=True))

    assert "The member is disconnected: it was the key of this console." in words
    assert token not in node.state.keys
    assert not StoredToken.objects.exists()
