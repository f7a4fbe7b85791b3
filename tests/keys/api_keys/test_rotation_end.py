"""The end of an overlap: the worker revokes the old key, checks that, and tells the member."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys import create, revoke, rotation_end
from keys.api_keys import rotate as rotate_service
from keys.api_keys.lost_creations import reconcile_overdue
from keys.audit.vocabulary import Action
from keys.jobs import claims
from keys.models import KeyCreation, Message, Rotation, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token import replacing
from keys.token.stored_tokens import disconnect_token
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_create import token_in
from tests.keys.api_keys.test_key_rotate import filled_in, rotate, url_of
from tests.keys.evidence import asked, audited, last_row, words_of
from tests.keys.notices.conftest import worker

__all__ = ["worker"]

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
def _time_enough(node: Sandbox, settings: Any) -> None:
    """On a busy machine too, the request does everything itself."""
    settings.ESTUARY_TIMEOUT = 30


@pytest.fixture
def new(browser: Client, backup: str, node: Sandbox) -> str:
    """The token of the key that replaces “backup”; both work."""
    token = token_in(rotate(browser, backup))
    node.forget_requests()
    return token


def overlap_is_over() -> None:
    moment = timezone.now() - timedelta(seconds=1)
    Rotation.objects.filter(state="overlap").update(ends_at=moment, due_at=moment)


def retry_is_due() -> None:
    """By the database's clock, which stays where it is when the test's clock is moved."""
    Rotation.objects.filter(state="overlap").update(due_at=Now())


def told() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("kind", flat=True))


def test_nothing_happens_during_the_overlap(node: Sandbox, backup: str, new: str) -> None:
    rotation_end.end_due()

    assert backup in node.state.keys
    assert asked(node) == []


def test_the_old_key_ends_and_the_member_is_told(node: Sandbox, backup: str, new: str) -> None:
    overlap_is_over()

    rotation_end.end_due()
    rotation_end.end_due()

    assert backup not in node.state.keys
    assert new in node.state.keys
    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.due_at) == ("ended", None)
    [message] = Message.objects.all()
    assert (message.kind, message.subject) == ("rotation.ended", "“backup” has ended")
    assert f"replaced by the key {hash_of(new)[:8]}" in message.text
    assert not any(token in str(vars(message)) for token in (backup, new))
    row = last_row(Action.KEY_REVOKED)
    assert (row.job, row.token_hash, row.actor) == ("rotate", hash_of(backup), None)
    assert [one for one in asked(node) if one.startswith("DELETE")] == [
        f"DELETE /user/api-keys/{hash_of(backup)}"
    ]


@pytest.mark.parametrize("kind", ["silent-ok", "500", "reset-before", "429"])
def test_it_is_tried_until_estuary_confirms_it(
    node: Sandbox, backup: str, new: str, kind: str
) -> None:
    overlap_is_over()
    node.set_fault("revoke", Fault(kind))

    for tries in (1, 2, 3):
        rotation_end.end_due()
        rotation = Rotation.objects.get()
        assert (rotation.state, rotation.failures) == ("overlap", tries)
        assert rotation.due_at
        assert rotation.due_at > timezone.now()
        retry_is_due()
    assert told() == []
    node.clear_faults()
    rotation_end.end_due()

    assert Rotation.objects.get().state == "ended"
    assert told() == ["rotation.ended"]


@pytest.mark.parametrize("kind", ["500", "truncated-json", "reset-before", "html"])
def test_without_a_list_nothing_is_claimed(node: Sandbox, backup: str, new: str, kind: str) -> None:
    overlap_is_over()
    node.set_fault("list", Fault(kind))

    rotation_end.end_due()

    assert Rotation.objects.get().state == "overlap"
    assert backup in node.state.keys
    assert told() == []


def test_an_end_that_was_carried_out_is_found_by_the_list(
    node: Sandbox, backup: str, new: str
) -> None:
    overlap_is_over()
    node.set_fault("revoke", Fault("reset-after", times=1))

    rotation_end.end_due()

    assert backup not in node.state.keys
    assert Rotation.objects.get().state == "ended"


def test_without_a_token_it_says_what_it_needs_once_and_waits(
    browser: Client, alice: User, token: str, node: Sandbox, backup: str, new: str
) -> None:
    disconnect_token(Actor(alice, "", ""), StoredToken.objects.get())
    overlap_is_over()

    for _ in range(3):
        rotation_end.end_due()
        retry_is_due()

    assert told() == ["rotation.waits"]
    assert "Connect a token of the account" in Message.objects.get().text
    assert ("rotation:waits", "done") in audited()
    assert asked(node) == []

    Rotation.objects.update(due_at=timezone.now() + timedelta(minutes=40))
    connect(alice, token)  # wakes it
    rotation_end.end_due()

    assert backup not in node.state.keys
    assert told() == ["rotation.waits", "rotation.ended"]


def test_a_token_of_another_account_ends_nothing(
    node: Sandbox, alice: User, token: str, backup: str, new: str
) -> None:
    connect(alice, node.add_key(node.add_user("other"), label="another account's"))
    overlap_is_over()

    rotation_end.end_due()

    assert backup in node.state.keys
    assert Rotation.objects.get().need == "same-account"
    assert "Another token is connected" in Message.objects.get().text


def test_another_token_of_the_same_account_ends_it(
    node: Sandbox, account: Account, alice: User, backup: str, new: str
) -> None:
    connect(alice, node.add_key(account, label="another"))
    overlap_is_over()

    rotation_end.end_due()

    assert backup not in node.state.keys
    assert Rotation.objects.get().state == "ended"


def test_a_token_that_estuary_refuses_is_said(
    node: Sandbox, token: str, backup: str, new: str
) -> None:
    node.remove_key(token)
    overlap_is_over()

    rotation_end.end_due()  # for 10 seconds Estuary accepts it, and lists nothing

    assert Rotation.objects.get().state == "overlap"
    node.set_fault("any", Fault("401-unknown"))
    retry_is_due()
    rotation_end.end_due()

    assert Rotation.objects.get().need == "valid-token"
    assert told() == ["rotation.waits"]
    assert backup in node.state.keys


def test_a_key_that_ends_by_itself_while_a_token_is_missing_is_over(
    alice: User, backup: str, new: str
) -> None:
    disconnect_token(Actor(alice, "", ""), StoredToken.objects.get())
    overlap_is_over()
    Rotation.objects.update(latest_end=timezone.now())

    rotation_end.end_due()

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason, rotation.due_at) == ("ended", "own-end", None)


def test_the_member_is_told_of_a_new_key_that_the_console_could_not_take(
    browser: Client, node: Sandbox, alice: User, token: str
) -> None:
    """The old key expires, and no token is connected with which the console could go on."""
    node.set_fault("stats", Fault("500"))
    new = token_in(rotate(browser, token))
    disconnect_token(Actor(alice, "", ""), StoredToken.objects.get())
    assert Rotation.objects.get().sealed_candidate
    overlap_is_over()
    Rotation.objects.update(latest_end=timezone.now())

    rotation_end.end_due()

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason, rotation.due_at) == ("ended", "own-end", None)
    assert rotation.sealed_candidate == ""
    [message] = Message.objects.all()
    assert message.subject == "“console” expired before the console could switch"
    assert f"did not switch to the new key {hash_of(new)[:8]}" in message.text
    assert "If you have not, nobody has it" in message.text
    assert not any(one in str(vars(message)) for one in (token, new))


@pytest.mark.parametrize("is_known", [True, False])
def test_the_member_is_told_of_a_key_that_the_console_made_and_could_not_revoke(
    alice: User, backup: str, new: str, is_known: bool
) -> None:
    Rotation.objects.update(keeps_old=True)
    if not is_known:
        KeyCreation.objects.update(token_hash="")
    disconnect_token(Actor(alice, "", ""), StoredToken.objects.get())
    overlap_is_over()
    Rotation.objects.update(latest_end=timezone.now())

    rotation_end.end_due()

    text = Message.objects.get().text
    assert (f"the new key {hash_of(new)[:8]}" in text) is is_known
    assert ("Look for a key that you do not know" in text) is not is_known


@pytest.mark.parametrize("way", ["revoked", "expired"])
def test_the_old_key_is_kept_when_its_replacement_does_not_work(
    browser: Client, node: Sandbox, backup: str, way: str
) -> None:
    new = token_in(rotate(browser, backup, lifetime="custom", custom_lifetime="1m"))
    if way == "revoked":
        node.remove_key(new)
    else:
        node.clock_offset = 120
    overlap_is_over()

    rotation_end.end_due()

    assert backup in node.state.keys
    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason) == ("kept", "replacement-gone")
    assert told() == ["rotation.kept"]


def test_a_replacement_that_was_itself_replaced_still_counts(
    browser: Client, node: Sandbox, backup: str, new: str
) -> None:
    third = token_in(rotate(browser, new, overlap="now"))
    assert new not in node.state.keys
    overlap_is_over()

    rotation_end.end_due()

    assert backup not in node.state.keys
    assert third in node.state.keys


def test_a_key_that_the_console_works_with_meanwhile_is_kept(
    node: Sandbox, alice: User, backup: str, new: str
) -> None:
    connect(alice, backup)
    overlap_is_over()

    rotation_end.end_due()

    assert backup in node.state.keys
    assert Rotation.objects.get().reason == "used-by-console"
    assert StoredToken.objects.get().token_hash == hash_of(backup)


def test_a_key_that_was_revoked_by_hand_is_over_at_once(
    browser: Client, node: Sandbox, backup: str, new: str
) -> None:
    browser.post(f"/keys/{hash_of(backup)}/revoke/")

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.due_at) == ("ended", None)


def test_a_stranger_who_names_the_key_does_not_stop_its_end(
    node: Sandbox, carol: User, backup: str, new: str
) -> None:
    connect(carol, node.add_key(node.add_user("carol"), label="hers"))
    signed_in(carol).post(f"/keys/{hash_of(backup)}/revoke/")

    assert Rotation.objects.get().state == "overlap"


def test_a_claim_that_was_lost_ends_nothing(
    node: Sandbox, backup: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker took the row over, because this one seemed to be dead."""
    overlap_is_over()
    confirm = claims.confirm

    def late(row: Any) -> None:
        Rotation.objects.update(claims=99, due_at=None)
        confirm(row)

    monkeypatch.setattr(claims, "confirm", late)

    rotation_end.end_due()

    assert backup in node.state.keys
    assert Rotation.objects.get().state == "overlap"


def test_the_page_of_the_rotation_extends_and_ends_it(
    browser: Client, node: Sandbox, backup: str, new: str
) -> None:
    url = f"/keys/{hash_of(backup)}/rotation/"
    page = browser.get(url)
    assert "Both keys work. The old one ends" in words_of(page)

    browser.post(url, {"overlap": "7d"})
    left = Rotation.objects.get().ends_at - timezone.now()
    assert timedelta(days=6) < left <= timedelta(days=7)
    assert ("rotation:changed", "done") in audited()

    sooner = browser.post(url, {"overlap": "1h"})
    assert "not later than the end that is planned" in words_of(sooner)

    ended = browser.post(url, {"overlap": "now"}, follow=True)
    assert backup not in node.state.keys
    assert f"Revoked Key {hash_of(backup)[:8]}." in words_of(ended)
    assert Rotation.objects.get().state == "ended"


def test_an_extension_stays_within_the_keys_own_end(
    browser: Client, node: Sandbox, account: Account
) -> None:
    old = node.add_key(account, label="short", lifetime=timedelta(days=2))
    rotate(browser, old)

    response = browser.post(f"/keys/{hash_of(old)}/rotation/", {"overlap": "7d"}, follow=True)

    assert "at its own end" in words_of(response)
    rotation = Rotation.objects.get()
    assert rotation.ends_at == rotation.latest_end


def test_what_cannot_be_ended_now_is_left_to_the_worker(
    browser: Client, node: Sandbox, backup: str, new: str
) -> None:
    node.set_fault("revoke", Fault("429"))

    response = browser.post(f"/keys/{hash_of(backup)}/rotation/", {"overlap": "now"}, follow=True)

    assert "The old key has not ended." in words_of(response)
    assert "tries again by itself" in words_of(response)
    node.clear_faults()
    retry_is_due()
    rotation_end.end_due()
    assert backup not in node.state.keys


def test_a_key_that_is_not_being_replaced_has_no_rotation(browser: Client, backup: str) -> None:
    response = browser.get(f"/keys/{hash_of(backup)}/rotation/", follow=True)

    assert "This key is not being replaced." in words_of(response)


def test_nothing_changes_while_the_worker_ends_it(
    browser: Client, backup: str, new: str, worker: Any
) -> None:
    Rotation.objects.update(claimed_by=worker)

    response = browser.post(f"/keys/{hash_of(backup)}/rotation/", {"overlap": "7d"}, follow=True)

    assert "is being ended at this moment" in words_of(response)


def test_an_exchange_of_the_consoles_key_is_finished_by_the_worker(
    browser: Client, node: Sandbox, token: str
) -> None:
    """The request could not prove the new token."""
    node.set_fault("stats", Fault("500"))
    response = rotate(browser, token, overlap="now")
    new = token_in(response)
    assert "This console still works with the old key." in words_of(response)
    assert token in node.state.keys
    assert StoredToken.objects.get().token_hash == hash_of(token)

    node.clear_faults()
    retry_is_due()
    rotation_end.end_due()
    rotation_end.end_due()

    assert StoredToken.objects.get().token_hash == hash_of(new)
    assert token not in node.state.keys
    assert Rotation.objects.get().state == "ended"
    assert "backup" not in words_of(browser.get(url_of(new)))


def test_a_new_token_that_estuary_refuses_is_not_taken_over(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("stats", Fault("500"))
    new = token_in(rotate(browser, token))
    node.clear_faults()
    node.remove_key(new)
    retry_is_due()

    rotation_end.end_due()

    assert StoredToken.objects.get().token_hash == hash_of(token)
    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason) == ("kept", "new-key-refused")
    assert rotation.sealed_candidate == ""


def test_an_exchange_that_is_finished_during_the_overlap_leaves_both_keys(
    browser: Client, node: Sandbox, token: str
) -> None:
    node.set_fault("stats", Fault("500"))
    new = token_in(rotate(browser, token, overlap="24h"))
    node.clear_faults()
    retry_is_due()

    rotation_end.end_due()

    assert StoredToken.objects.get().token_hash == hash_of(new)
    assert {token, new} <= set(node.state.keys)
    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.due_at) == ("overlap", rotation.ends_at)


def test_an_exchange_waits_while_estuary_is_away(
    browser: Client, node: Sandbox, token: str
) -> None:
    """That a token cannot be proved now does not mean that Estuary refuses it."""
    node.set_fault("stats", Fault("500"))
    rotate(browser, token)
    retry_is_due()

    rotation_end.end_due()

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.failures) == ("overlap", 1)
    assert rotation.sealed_candidate
    assert StoredToken.objects.get().token_hash == hash_of(token)
    assert told() == []


def test_a_console_key_that_ends_during_its_exchange_leaves_no_new_token_here(
    browser: Client, node: Sandbox, token: str, alice: User
) -> None:
    node.set_fault("stats", Fault("500"))
    rotate(browser, token)

    revoke.revoke_key(Actor(alice, "", ""), StoredToken.objects.get(), hash_of(token))

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.sealed_candidate) == ("ended", "")


def test_a_token_that_cannot_be_unsealed_is_said(
    node: Sandbox, backup: str, new: str, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]
    overlap_is_over()

    rotation_end.end_due()

    assert Rotation.objects.get().need == "valid-token"
    assert "it cannot be read" in Message.objects.get().text
    assert backup in node.state.keys


def test_a_rotation_of_unknown_outcome_ends_and_the_old_key_is_kept(
    browser: Client, node: Sandbox, account: Account, backup: str, new: str
) -> None:
    """The request died, and two keys could be the one that it asked for."""
    node.add_key(account, label="backup", lifetime=timedelta(days=30))
    an_hour_ago = timezone.now() - timedelta(hours=1)
    KeyCreation.objects.update(outcome="requested", token_hash="", requested_at=an_hour_ago)
    Rotation.objects.update(state="requested", due_at=None)

    reconcile_overdue()

    rotation = Rotation.objects.get()
    assert (rotation.state, rotation.reason) == ("kept", "unknown")
    assert "“backup”, which it was to replace, is kept." in Message.objects.get().text
    assert ("key:rotated", "failed") in audited()
    assert token_in(rotate(browser, backup)) in node.state.keys


class Killed(BaseException):
    """As when the process dies: nothing catches it."""


STEPS = [
    (create, "_checked", "before the new key is recorded"),
    (rotate_service, "state_after", "after the new key is recorded"),
    (rotate_service, "keep_candidate", "before its token is sealed"),
    (replacing, "prove_candidate", "before it is proved"),
    (replacing, "swap_token", "before it is swapped in"),
    (replacing, "of_member", "after it is swapped in"),
    (rotation_end, "_change", "before the end of the old key is claimed"),
    (revoke, "revoke_key", "before the old key ends"),
    (revoke, "judged", "after the old key has ended"),
]


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "other"])
@pytest.mark.parametrize(("module", "name", "when"), STEPS, ids=[step[2] for step in STEPS])
def test_a_request_that_dies_at_any_step_is_finished_by_the_worker(
    browser: Client,
    node: Sandbox,
    token: str,
    backup: str,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    when: str,
    is_own: bool,
) -> None:
    if not is_own and (module is replacing or name == "keep_candidate"):
        pytest.skip("only for the console's own key")
    old = token if is_own else backup
    data = filled_in(browser, old, overlap="now")

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, name, die)
        with pytest.raises(Killed):
            browser.post(url_of(old), data)
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        for _ in range(3):
            reconcile_overdue()
            retry_is_due()
            rotation_end.end_due()

    rotation = Rotation.objects.get()
    assert rotation.state in {"ended", "kept"}
    assert (old in node.state.keys) is (rotation.state == "kept")
    assert rotation.sealed_candidate == ""
    stored = StoredToken.objects.get().token_hash
    assert stored in {hash_of(one) for one in node.state.keys}  # nobody is locked out
    known = {rotation.new_hash, hash_of(token), hash_of(backup)}
    assert {hash_of(one) for one in node.state.keys} <= known  # each key is accounted for
