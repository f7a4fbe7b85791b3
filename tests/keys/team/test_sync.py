"""The worker looks at each connected account, and tells what changed without this console."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys import key_lists
from keys.audit.vocabulary import Action, Outcome
from keys.jobs import workers
from keys.models import (
    AuditEntry,
    KeyCreation,
    Message,
    SeenKey,
    StatsSample,
    StoredToken,
    SyncedAccount,
    Worker,
)
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.team import drift as drift_module
from keys.team import inventory, sync
from keys.team.sync import sync_due
from keys.token.stored_tokens import disconnect_token
from keys.upstream import hash_of
from tests.conftest import connect
from tests.keys.evidence import revoke_elsewhere
from tests.keys.team.conftest import look_again

DAY = timedelta(days=1)
DRIFT = [Action.KEY_APPEARED, Action.KEY_VANISHED]
pytestmark = pytest.mark.usefixtures("worker")


def drift() -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(action__in=DRIFT).order_by("pk")
    return list(rows.values_list("action", "token_hash"))


def seen() -> set[str]:
    return set(SeenKey.objects.values_list("token_hash", flat=True))


@pytest.fixture
def known(node: Sandbox, account: Account, alice: User, token: str) -> str:
    """A key that the worker saw in Alice's account beside the console's own."""
    connect(alice, token)
    secret = node.add_key(account, label="backup", lifetime=90 * DAY)
    sync_due()
    return secret


def test_the_first_look_keeps_the_keys_and_tells_nothing(
    known: str, token: str, node: Sandbox
) -> None:
    row = SyncedAccount.objects.get()
    key = SeenKey.objects.get(token_hash=hash_of(known))

    assert seen() == {hash_of(known), hash_of(token)}
    assert (key.owner, key.label, key.permission, key.is_made_here) == (
        "alice",
        "backup",
        "",
        False,
    )
    assert key.expiry - timezone.now() > 89 * DAY
    assert (row.trouble, row.is_refused, row.failures) == ("", False, 0)
    assert row.as_of
    assert row.due_at
    assert timedelta(minutes=50) < row.due_at - timezone.now() < timedelta(minutes=70)
    assert drift() == []
    assert not Message.objects.exists()


def test_no_row_holds_a_token(known: str, token: str, node: Sandbox, account: Account) -> None:
    node.add_key(account, label="old", era="legacy")
    look_again()

    kept = repr([list(model.objects.values()) for model in (SeenKey, SyncedAccount, AuditEntry)])
    kept += repr(list(Message.objects.values()))
    assert known not in kept
    assert token not in kept


def test_a_key_that_appears_is_audited_and_told(
    known: str, node: Sandbox, account: Account
) -> None:
    stranger = node.add_key(account, label="stranger")

    look_again()

    assert drift() == [(Action.KEY_APPEARED, hash_of(stranger))]
    row = AuditEntry.objects.get(action=Action.KEY_APPEARED)
    assert (row.job, row.on_behalf_of_name, row.outcome) == ("sync", "alice", Outcome.DONE)
    [notice] = Message.objects.all()
    assert notice.subject == "1 key appeared outside this console"
    assert "“stranger”" in notice.text
    assert stranger not in notice.text
    look_again()
    assert len(drift()) == 1


def test_a_key_that_vanishes_is_audited_and_told(known: str, node: Sandbox) -> None:
    node.remove_key(known)

    look_again()

    assert drift() == [(Action.KEY_VANISHED, hash_of(known))]
    assert Message.objects.get().subject == "1 key vanished outside this console"
    assert hash_of(known) not in seen()


def test_session_keys_are_audited_without_a_notice(
    known: str, node: Sandbox, account: Account
) -> None:
    node.add_key(account, is_session=True)

    look_again()

    assert AuditEntry.objects.get(action=Action.KEY_APPEARED).detail == {"kind": "session"}
    assert not Message.objects.exists()


def test_keys_created_and_revoked_here_are_no_drift(
    known: str, browser: Client, alice: User, node: Sandbox
) -> None:
    look_again()
    page = browser.get("/keys/new/")
    form = {"nonce": page.context["form"]["nonce"].value(), "label": "mine", "lifetime": "30d"}
    browser.post("/keys/new/", form | {"permission": "upload"})
    browser.post(f"/keys/{hash_of(known)}/revoke/")

    look_again()

    assert drift() == []
    mine = SeenKey.objects.get(label="mine")
    assert (mine.permission, mine.is_made_here) == ("upload", True)
    assert hash_of(known) not in seen()


def test_a_creation_under_way_is_waited_for(
    known: str, alice: User, node: Sandbox, account: Account
) -> None:
    made = node.add_key(account, label="slow")
    record = KeyCreation.objects.create(
        nonce="n", member=alice, label="slow", permission="upload", lifetime=DAY
    )
    look_again()
    assert drift() == []
    assert hash_of(made) not in seen()
    due = SyncedAccount.objects.get().due_at
    assert due
    assert due - timezone.now() < timedelta(minutes=1)

    record.outcome, record.token_hash = KeyCreation.Outcome.CREATED, hash_of(made)
    record.save()
    look_again()

    assert drift() == []
    assert hash_of(made) in seen()


def test_an_unchanged_list_rewrites_no_row(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "write_rows", None)  # would fail if it were called

    look_again()

    assert SyncedAccount.objects.get().failures == 0


def test_the_kept_list_is_warm_for_the_next_page(known: str, alice: User, node: Sandbox) -> None:
    look_again()
    node.forget_requests()

    listed = key_lists.last_known(StoredToken.objects.get(member=alice))

    assert listed
    assert listed.find(hash_of(known))
    assert node.requests == []


def test_a_sample_a_day(known: str, node: Sandbox) -> None:
    look_again()
    look_again()

    assert StatsSample.objects.count() == 1
    account, sample = SyncedAccount.objects.get(), StatsSample.objects.get()
    assert (sample.total_size, sample.pin_count) == (account.total_size, account.pin_count)
    StatsSample.objects.update(day=timezone.localdate() - 2 * DAY)
    look_again()
    assert StatsSample.objects.count() == 2


def test_while_estuary_is_away_what_was_seen_stays(known: str, node: Sandbox) -> None:
    before = SyncedAccount.objects.get()
    node.set_fault("list", Fault("502-html"))

    look_again()

    row = SyncedAccount.objects.get()
    assert (row.as_of, row.failures, row.is_refused) == (before.as_of, 1, False)
    assert row.trouble
    assert hash_of(known) in seen()
    node.clear_faults()
    look_again()
    assert SyncedAccount.objects.get().trouble == ""
    assert drift() == []


def test_a_list_in_doubt_makes_no_key_vanish(known: str, node: Sandbox, account: Account) -> None:
    node.remove_key(known)
    node.state.keys[node.add_key(account)].row = b'{"tokenHash":"x"}'

    look_again()

    assert drift() == []
    assert hash_of(known) in seen()


def test_a_list_without_the_key_that_asked_makes_no_key_vanish(
    known: str, node: Sandbox, token: str
) -> None:
    caches["key_lists"].clear()
    revoke_elsewhere(node, token)

    look_again()

    assert drift() == []
    assert hash_of(known) in seen()
    assert not Message.objects.exists()
    row = SyncedAccount.objects.get()
    assert row.failures == 1
    assert "does not hold the key of your stored token" in row.trouble


def test_a_refused_token_waits_for_its_turn(known: str, node: Sandbox, token: str) -> None:
    node.set_fault("list", Fault("401-unknown"))

    look_again()

    row = SyncedAccount.objects.get()
    assert (row.is_refused, row.failures) == (True, 0)
    assert row.due_at
    assert row.due_at - timezone.now() > timedelta(minutes=50)
    assert hash_of(known) in seen()
    assert drift() == []


def test_a_replaced_token_of_the_same_account_is_no_drift(
    known: str, node: Sandbox, account: Account, alice: User
) -> None:
    epoch = SyncedAccount.objects.get().epoch
    connect(alice, node.add_key(account, label="console 2"))

    sync_due()  # due at once: another token was connected

    assert drift() == []
    assert SyncedAccount.objects.get().epoch == epoch
    assert SeenKey.objects.count() == 3


def test_a_look_at_many_accounts_runs_in_several_threads(
    transactional_db: None, worker: Worker, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "MAX_ACCOUNTS_FOR_ONE_THREAD", 2)
    monkeypatch.setattr(sync, "MAX_ACCOUNTS_PER_SECOND", 1000)
    accounts = [node.add_user(f"m{number}") for number in range(12)]
    for account in accounts:
        member = User.objects.create_user(account.name, password="correct horse")
        connect(member, node.add_key(account, label="console"))
    node.forget_requests()

    sync_due()

    assert SyncedAccount.objects.exclude(as_of=None).filter(failures=0).count() == 12
    assert sum(request.target.startswith("/user/api-keys") for request in node.requests) == 12


def test_another_account_starts_afresh(known: str, node: Sandbox, alice: User) -> None:
    epoch = SyncedAccount.objects.get().epoch
    other = node.add_key(node.add_user("other"), label="other console")
    connect(alice, other)

    sync_due()

    assert drift() == []
    assert seen() == {hash_of(other)}
    assert SyncedAccount.objects.get().epoch != epoch
    assert StatsSample.objects.count() == 2


def test_another_account_does_not_take_over_the_figures_of_the_former(
    known: str, node: Sandbox, alice: User
) -> None:
    assert SyncedAccount.objects.get().total_size is not None
    connect(alice, node.add_key(node.add_user("other", contents=9), label="other console"))
    node.set_fault("stats", Fault("502-html"))

    sync_due()

    row = SyncedAccount.objects.get()
    assert (row.total_size, row.pin_count) == (None, None)


def test_a_disconnected_account_is_not_looked_at(known: str, node: Sandbox, alice: User) -> None:
    disconnect_token(Actor(alice, "", ""), StoredToken.objects.get())
    node.forget_requests()

    look_again()

    assert node.requests == []
    assert SyncedAccount.objects.get().due_at is None
    assert hash_of(known) in seen()


def test_a_look_that_another_worker_took_over_writes_nothing(
    known: str, node: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.add_key(account, label="stranger")
    between = drift_module.between

    def claimed_meanwhile(*arguments: Any) -> Any:
        Worker.objects.update(ended_at=timezone.now())  # declared dead
        other = Worker.objects.create(host="other", pid=1)
        row = SyncedAccount.objects.get()
        SyncedAccount.objects.update(claimed_by=other, claims=row.claims + 1)
        return between(*arguments)

    monkeypatch.setattr(drift_module, "between", claimed_meanwhile)
    look_again()

    assert drift() == []
    assert not Message.objects.exists()
    assert SeenKey.objects.count() == 2


def test_a_worker_killed_between_asking_and_writing_loses_nothing(
    known: str, node: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = node.add_key(account, label="stranger")
    with monkeypatch.context() as patch:
        patch.setattr(inventory, "write_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            look_again()
    assert drift() == []
    workers.unregister()
    workers.register()  # the next one; the claim of the ended one is free

    sync_due()

    assert drift() == [(Action.KEY_APPEARED, hash_of(stranger))]
    assert Message.objects.count() == 1


def killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_look_put_off_under_a_wrong_clock_is_due_all_the_same(
    known: str, node: Sandbox, account: Account
) -> None:
    stranger = node.add_key(account, label="stranger")
    caches["key_lists"].clear()
    SyncedAccount.objects.update(due_at=timezone.now() + 365 * DAY)

    sync_due()

    assert drift() == [(Action.KEY_APPEARED, hash_of(stranger))]


def test_the_notice_of_very_many_keys_names_some_and_counts_the_rest(
    known: str, node: Sandbox, account: Account
) -> None:
    for number in range(60):
        node.add_key(account, label=f"stranger {number}")

    look_again()

    [notice] = Message.objects.all()
    assert notice.text.count("- “stranger") == 50
    assert "- and 10 more" in notice.text


def test_a_stored_token_that_cannot_be_opened_is_told_and_what_was_seen_stays(
    known: str, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = [base64.b64encode(b"o" * 32).decode()]

    look_again()

    row = SyncedAccount.objects.get()
    assert (row.trouble, row.is_refused) == (sync.UNREADABLE, True)
    assert hash_of(known) in seen()
    assert drift() == []


def test_a_member_who_is_renamed_is_found_by_the_new_name(
    known: str, node: Sandbox, account: Account, alice: User
) -> None:
    alice.username = "alicia"
    alice.save()
    node.add_key(account, label="web")  # an unchanged list rewrites no row

    look_again()

    assert set(SeenKey.objects.values_list("owner", flat=True)) == {"alicia"}
    assert SeenKey.objects.filter(search_text__contains="alicia").count() == 3


def test_a_key_above_the_longest_lifetime_is_a_finding_until_less_is_left(
    known: str, settings: Any, node: Sandbox, account: Account
) -> None:
    settings.POLICY = settings.POLICY | {"POLICY_LONGEST_LIFETIME": "30d"}
    short = node.add_key(account, label="short", lifetime=20 * DAY)

    look_again()

    long = SeenKey.objects.get(token_hash=hash_of(known))
    assert long.too_long_until == long.expiry - 30 * DAY
    assert SeenKey.objects.get(token_hash=hash_of(short)).too_long_until is None
