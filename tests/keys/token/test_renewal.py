"""A key of the console's own: made on connect, used instead of the pasted one, renewed in time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from estuary_admin.secrets import sealing
from keys.api_keys import create, revoke, rotate, rotation_end
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, ConsoleKey, KeyCreation, Message, Rotation, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token import renewal, replacing
from keys.token.stored_tokens import prove_candidate
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_rotate import rotate as rotate_by_hand
from tests.keys.evidence import labels_at, words_of
from tests.keys.notices.conftest import worker

__all__ = ["worker"]

pytestmark = pytest.mark.usefixtures("worker")
URL = "/account/token/"


@pytest.fixture(autouse=True)
def _time_enough(node: Sandbox, settings: Any) -> None:
    """On a busy machine too, the request does everything itself."""
    settings.ESTUARY_TIMEOUT = 30


@pytest.fixture
def newcomer(alice: User, token: str, node: Sandbox) -> Client:
    """Alice, signed in and not connected."""
    return signed_in(alice)


def form_of(client: Client, token: str) -> dict[str, str]:
    page = client.get(URL).content.decode()
    [nonce] = re.findall(r'name="nonce" value="([^"]+)"', page)
    return {"token": token, "own_key": "on", "nonce": nonce}


def own_token(node: Sandbox) -> str:
    """The token at the node that the console works with."""
    stored = StoredToken.objects.get().token_hash
    return next(token for token in node.state.keys if hash_of(token) == stored)


def test_it_is_made_and_used_and_the_pasted_key_is_offered_for_revocation(
    newcomer: Client, node: Sandbox, token: str
) -> None:
    response = newcomer.post(URL, form_of(newcomer, token), follow=True)

    own = own_token(node)
    assert own != token
    assert node.state.keys[own].label == "Estuary Admin"
    assert not node.state.keys[own].upload_only
    assert KeyCreation.objects.get().lifetime == timedelta(days=90)
    assert response.redirect_chain[-1][0] == f"/keys/{hash_of(token)}/revoke/"
    assert f"now works with its own key {hash_of(own)[:8]}" in words_of(response)
    assert own not in response.content.decode()
    assert token in node.state.keys  # until the member revokes it
    newcomer.post(f"/keys/{hash_of(token)}/revoke/")
    assert labels_at(node) == ["Estuary Admin"]
    assert "Estuary Admin" in words_of(newcomer.get("/keys/"))


def test_without_the_choice_the_pasted_key_stays_in_use(
    newcomer: Client, node: Sandbox, token: str
) -> None:
    newcomer.post(URL, {"token": token})

    assert labels_at(node) == ["console"]
    assert StoredToken.objects.get().token_hash == hash_of(token)


def test_the_same_form_twice_makes_one_key(newcomer: Client, node: Sandbox, token: str) -> None:
    data = form_of(newcomer, token)
    newcomer.post(URL, data)
    own = own_token(node)
    newcomer.post(URL, data)

    assert labels_at(node) == ["Estuary Admin", "console"]
    assert own_token(node) == own


def test_the_slower_of_two_submits_at_once_does_not_bring_the_pasted_key_back(
    newcomer: Client, alice: User, node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, other = form_of(newcomer, token), Client()
    other.cookies = newcomer.cookies
    seal = sealing.seal

    def after_the_quicker_one(*arguments: Any) -> str:
        monkeypatch.undo()
        newcomer.post(URL, data)
        return seal(*arguments)

    monkeypatch.setattr(sealing, "seal", after_the_quicker_one)

    response = other.post(URL, data)

    assert own_token(node) != token
    assert labels_at(node) == ["Estuary Admin", "console"]
    assert response["Location"] == "/keys/"
    assert AuditEntry.objects.filter(action=Action.TOKEN_CONNECTED).count() == 1


def test_no_own_key_is_told_of_when_another_one_was_connected_meanwhile(
    newcomer: Client,
    alice: User,
    account: Account,
    node: Sandbox,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, another = form_of(newcomer, token), node.add_key(account, label="another")

    def connect_another_first(*arguments: Any) -> None:
        prove_candidate(*arguments)
        connect(alice, another)

    monkeypatch.setattr(replacing, "prove_candidate", connect_another_first)

    response = newcomer.post(URL, data, follow=True)

    assert own_token(node) == another
    assert "Another key was connected meanwhile" in words_of(response)
    assert "now works with its own key" not in words_of(response)


@pytest.mark.parametrize("kind", ["500", "reset-before", "429"])
def test_the_pasted_key_stays_in_use_when_none_is_made(
    newcomer: Client, node: Sandbox, token: str, kind: str
) -> None:
    data = form_of(newcomer, token)
    node.set_fault("create", Fault(kind))

    response = newcomer.post(URL, data, follow=True)

    assert StoredToken.objects.get().token_hash == hash_of(token)
    assert "key of its own" in words_of(response)


def test_a_key_whose_token_was_lost_is_revoked(newcomer: Client, node: Sandbox, token: str) -> None:
    data = form_of(newcomer, token)
    node.set_fault("create", Fault("reset-after", times=1))
    newcomer.post(URL, data)
    assert labels_at(node) == ["Estuary Admin", "console"]
    make_due()

    rotation_end.end_due()

    assert labels_at(node) == ["console"]
    assert Rotation.objects.get().reason == "token-lost"
    assert StoredToken.objects.get().token_hash == hash_of(token)


def test_the_policy_decides_label_and_lifetime(
    newcomer: Client, node: Sandbox, token: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {
        "POLICY_LONGEST_LIFETIME": "30d",
        "POLICY_LABEL_PATTERN": "[a-z-]+",
        "POLICY_LABEL_EXAMPLE": "team-app",
        "POLICY_PURPOSE_REQUIRED": "true",
    }

    newcomer.post(URL, form_of(newcomer, token))

    assert labels_at(node) == ["console", "team-app"]
    assert KeyCreation.objects.get().lifetime == timedelta(days=30)


def make_due() -> None:
    """By the database's clock, which stays where it is when the test's clock is moved."""
    Rotation.objects.filter(state="overlap").update(due_at=Now())
    ConsoleKey.objects.update(due_at=Now())


@pytest.fixture
def own(newcomer: Client, node: Sandbox, token: str) -> str:
    newcomer.post(URL, form_of(newcomer, token))
    return own_token(node)


def test_it_is_due_14_days_before_its_end(newcomer: Client, own: str) -> None:
    renewal.renew_due()
    row = ConsoleKey.objects.get()

    assert row.due_at
    left = row.due_at - timezone.now()
    assert timedelta(days=75) < left <= timedelta(days=76)
    assert KeyCreation.objects.count() == 1
    assert "made this key for itself: in 2 months" in words_of(newcomer.get("/account/"))


def test_it_renews_itself_and_the_old_one_ends(node: Sandbox, own: str) -> None:
    make_due()

    renewal.renew_due()

    renewed = own_token(node)
    assert renewed != own
    assert labels_at(node) == ["Estuary Admin", "console"]
    row = ConsoleKey.objects.get()
    assert row.token_hash == hash_of(renewed)
    assert row.due_at
    assert row.due_at > timezone.now() + timedelta(days=70)


def test_another_connected_token_ends_the_renewal(
    newcomer: Client, node: Sandbox, token: str, own: str
) -> None:
    newcomer.post(URL, {"token": token})
    make_due()

    renewal.renew_due()

    assert ConsoleKey.objects.get().due_at is None
    assert StoredToken.objects.get().token_hash == hash_of(token)


def test_nothing_is_renewed_for_a_disabled_member(node: Sandbox, own: str, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    make_due()

    renewal.renew_due()

    assert own_token(node) == own
    due = ConsoleKey.objects.get().due_at
    assert due
    assert due > timezone.now()


def test_a_lost_key_that_is_still_listed_is_not_called_revoked(
    newcomer: Client, node: Sandbox, token: str
) -> None:
    data = form_of(newcomer, token)
    node.set_fault("create", Fault("reset-after", times=1))
    newcomer.post(URL, data)
    node.set_fault("revoke", Fault("silent-ok"))
    make_due()

    rotation_end.end_due()

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason, rotation.failures) == ("overlap", "", 1)
    assert not Message.objects.filter(kind="rotation.kept").exists()
    node.clear_faults()
    make_due()
    rotation_end.end_due()
    assert labels_at(node) == ["console"]
    assert "The new key was revoked" in Message.objects.get(kind="rotation.kept").text


def test_a_lost_key_that_cannot_be_told_from_another_is_not_called_revoked(
    newcomer: Client, node: Sandbox, token: str
) -> None:
    def add_a_twin(_kind: str, key: Any) -> None:
        other = "EST22222222-2222-4222-8222-222222222222ARY"
        key.user.keys[other] = replace(key, token=other, row=b"")

    data = form_of(newcomer, token)
    node.set_fault("create", Fault("reset-after", times=1))
    node.state.on_change = add_a_twin
    newcomer.post(URL, data)
    node.state.on_change = lambda *_: None
    make_due()

    rotation_end.end_due()

    assert labels_at(node) == ["Estuary Admin", "console"]
    text = Message.objects.get(kind="rotation.kept").text
    assert "was revoked" not in text
    assert "Look for a new key that you do not know, and revoke it." in text


def test_a_request_that_dies_is_finished_and_the_pasted_key_stays(
    newcomer: Client, node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    data = form_of(newcomer, token)
    with monkeypatch.context() as patched:
        patched.setattr(rotate, "adopt", die)
        with pytest.raises(Killed):
            newcomer.post(URL, data)
    make_due()

    rotation_end.end_due()

    assert own_token(node) != token
    assert labels_at(node) == ["Estuary Admin", "console"]
    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason, rotation.due_at) == ("kept", "pasted", None)
    assert not Message.objects.filter(kind="rotation.kept").exists()


@pytest.mark.parametrize("kind", ["500", "reset-after", "reset-before", "silent-ok"])
def test_a_renewal_that_fails_is_tried_again_and_leaves_no_key_behind(
    node: Sandbox, own: str, kind: str
) -> None:
    node.set_fault("create", Fault(kind, times=1))
    for _ in range(4):
        make_due()
        rotation_end.end_due()
        renewal.renew_due()

    assert own_token(node) != own
    assert labels_at(node) == ["Estuary Admin", "console"]


class Killed(BaseException):
    """As when the process dies: nothing catches it."""


STEPS = [
    (rotate, "create_key", "before the new key is asked for"),
    (create, "_checked", "before the new key is recorded"),
    (rotate, "state_after", "after the new key is recorded"),
    (rotate, "keep_candidate", "before its token is sealed"),
    (rotate, "adopt", "after its token is sealed"),
    (replacing, "prove_candidate", "before it is proved"),
    (replacing, "swap_token", "before it is swapped in"),
    (replacing, "of_member", "after it is swapped in"),
    (revoke, "revoke_key", "before the old key ends"),
    (rotation_end, "_change", "before the old key's end is claimed"),
]


@pytest.mark.parametrize(("module", "name", "when"), STEPS, ids=[step[2] for step in STEPS])
def test_a_process_that_dies_at_any_step_locks_nobody_out(
    node: Sandbox, own: str, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, when: str
) -> None:
    make_due()

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, name, die)
        with pytest.raises(Killed):
            renewal.renew_due()
    assert own_token(node) in node.state.keys

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        for _ in range(4):  # as often as the worker wakes
            make_due()
            Rotation.objects.filter(state="overlap").update(ends_at=timezone.now())
            rotation_end.end_due()
            renewal.renew_due()

    assert own_token(node) != own
    assert labels_at(node) == ["Estuary Admin", "console"]
    assert not Rotation.objects.filter(state__in=["requested", "overlap"]).exists()
    assert not Rotation.objects.exclude(sealed_candidate="").exists()
    tokens = [own, own_token(node)]
    assert not any(one in str(vars(row)) for row in Message.objects.all() for one in tokens)


def test_a_policy_that_forbids_full_access_ends_the_promise_of_a_renewal(
    newcomer: Client, node: Sandbox, own: str, settings: Any
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_PERMISSIONS": "upload"}
    make_due()

    renewal.renew_due()

    row = ConsoleKey.objects.get()
    assert row.due_at
    assert row.due_at > timezone.now()
    assert own_token(node) == own
    assert "made this key for itself" not in words_of(newcomer.get("/account/"))


def die(*_: Any, **__: Any) -> None:
    raise Killed


def killed_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """A renewal whose process dies there."""
    make_due()
    with monkeypatch.context() as patched:
        patched.setattr(module, name, die)
        with pytest.raises(Killed):
            renewal.renew_due()


def test_no_second_key_is_asked_for_while_the_first_may_still_come(
    node: Sandbox, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(monkeypatch, create, "_checked")
    at_estuary = labels_at(node)
    make_due()

    renewal.renew_due()

    assert labels_at(node) == at_estuary
    assert ConsoleKey.objects.get().failures == 1
    assert own_token(node) == own


def test_a_renewal_whose_exchange_is_under_way_is_left_to_it(
    node: Sandbox, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(monkeypatch, rotate, "adopt")
    at_estuary = labels_at(node)
    make_due()

    renewal.renew_due()

    row = ConsoleKey.objects.get()
    assert (row.failures, row.token_hash) == (0, hash_of(own))
    assert row.due_at
    assert row.due_at > timezone.now()
    assert labels_at(node) == at_estuary
    rotation_end.end_due()
    assert own_token(node) != own


def test_a_lost_key_that_estuary_does_not_revoke_yet_is_not_replaced_by_a_third(
    node: Sandbox, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(monkeypatch, rotate, "keep_candidate")
    at_estuary = labels_at(node)
    node.set_fault("revoke", Fault("502-html"))
    make_due()

    renewal.renew_due()

    assert labels_at(node) == at_estuary
    assert ConsoleKey.objects.get().failures == 1
    node.clear_faults()
    for _ in range(2):
        make_due()
        renewal.renew_due()
        rotation_end.end_due()
    assert own_token(node) != own
    assert labels_at(node) == ["Estuary Admin", "console"]


@pytest.mark.parametrize("when", ["while it is proved", "before the worker goes on"])
def test_a_token_that_the_member_connects_during_a_renewal_stays(
    newcomer: Client,
    node: Sandbox,
    own: str,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    def connected_meanwhile(*arguments: Any) -> None:
        newcomer.post(URL, {"token": token})
        monkeypatch.undo()
        prove(*arguments)

    prove = prove_candidate
    if when == "while it is proved":
        monkeypatch.setattr(replacing, "prove_candidate", connected_meanwhile)
        make_due()
        renewal.renew_due()
    else:
        killed_at(monkeypatch, rotate, "adopt")
        newcomer.post(URL, {"token": token})
        make_due()
        rotation_end.end_due()

    assert StoredToken.objects.get().token_hash == hash_of(token)
    assert not Rotation.objects.exclude(sealed_candidate="").exists()
    make_due()
    renewal.renew_due()
    assert ConsoleKey.objects.get().due_at is None
    assert own_token(node) == token


def test_a_key_without_an_end_is_not_renewed(newcomer: Client, node: Sandbox, own: str) -> None:
    rotate_by_hand(newcomer, own, lifetime="never", overlap="now")

    row = ConsoleKey.objects.get()
    assert own_token(node) != own
    assert row.token_hash == hash_of(own_token(node))
    assert row.due_at is None
