"""Changes to many keys when workers, tokens, lists or clocks get in the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from django.utils import timezone

from keys.api_keys import bulk_work, key_lists
from keys.api_keys.bulk_work import work_off_changes
from keys.audit.vocabulary import Action
from keys.jobs import claims
from keys.models import AuditEntry, BulkChange, BulkItem, KeyNote, KeyReminder, Worker
from keys.notes.services import save_note
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.conftest import connect
from tests.keys.api_keys.test_bulk import (
    URL,
    few,
    hashes,
    make_due,
    many,
    outcomes,
    preview,
    state,
    worker,
)
from tests.keys.api_keys.test_key_revoke_expired import deletes
from tests.keys.evidence import audited, labels_at, words_of

__all__ = ["few", "many", "worker"]

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def queued(browser: Client, many: list[str], node: Sandbox) -> str:
    """The address of a change that revokes 25 keys, and that waits for the worker."""
    url = preview(browser, key=hashes(many))
    browser.post(url)
    node.forget_requests()
    return url


def sentences() -> set[str]:
    return set(BulkItem.objects.values_list("sentence", flat=True))


def test_two_workers_do_not_revoke_at_once(
    queued: str, browser: Client, carol: User, node: Sandbox
) -> None:
    """All members share what Estuary allows one address."""
    other = Worker.objects.create(host="other", pid=1)
    BulkChange.objects.create(
        id=UUID(int=0),
        member=carol,
        action="revoke",
        started_at=timezone.now(),
        claimed_by=other,
        due_at=None,
    )

    work_off_changes()

    assert (deletes(node), state(browser, queued)) == ([], "queued")
    Worker.objects.filter(pk=other.pk).update(ended_at=timezone.now())
    make_due()
    work_off_changes()
    assert labels_at(node) == ["console"]


def test_notes_do_not_wait_for_a_revocation(browser: Client, many: list[str], carol: User) -> None:
    other = Worker.objects.create(host="other", pid=1)
    BulkChange.objects.create(
        id=UUID(int=0), member=carol, action="revoke", claimed_by=other, due_at=None
    )
    url = preview(browser, "note", key=hashes(many))
    browser.post(url, {"purpose": "x"})

    work_off_changes()

    assert state(browser, url) == "done"


def test_many_keys_are_revoked_part_by_part(
    queued: str, browser: Client, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_work, "KEYS_PER_PART", 10)

    work_off_changes()

    assert outcomes() == ["revoked"] * 25
    assert len(deletes(node)) == 25
    parts = AuditEntry.objects.filter(action=Action.KEY_REVOKE_REQUESTED, job="bulk")
    assert [row.detail["count"] for row in parts.order_by("pk")] == [10, 10, 5]
    assert state(browser, queued) == "done"


def test_a_node_that_stays_away_ends_the_change_with_the_reason(
    queued: str, browser: Client, node: Sandbox
) -> None:
    BulkChange.objects.update(failures=bulk_work.MAX_TRIES - 2)
    node.set_fault("list", Fault("500"))

    work_off_changes()
    assert state(browser, queued) == "queued"
    make_due()
    work_off_changes()

    assert set(outcomes()) == {"failed"}
    assert sentences() == {"Estuary failed while working on this (status 500)."}
    change = BulkChange.objects.get()
    assert (change.due_at, change.trouble) == (None, "")
    assert change.ended_at
    assert "Try the failed keys again" in words_of(browser.get(queued))
    assert deletes(node) == []


def test_a_change_of_a_later_version_is_left_to_it(
    queued: str, browser: Client, node: Sandbox
) -> None:
    """During an upgrade, an old worker may find what a new page has queued."""
    BulkChange.objects.update(action="rename")

    work_off_changes()

    assert set(outcomes()) == {"waiting"}
    change = BulkChange.objects.get()
    assert (change.failures, change.claimed_by, change.ended_at) == (1, None, None)
    assert change.due_at
    assert deletes(node) == []


def test_a_token_that_cannot_be_unsealed_ends_the_change(
    queued: str, browser: Client, node: Sandbox, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = ["b" * 43 + "="]

    work_off_changes()

    assert set(outcomes()) == {"failed"}
    assert sentences() == {"Your stored token cannot be opened: connect it again."}
    assert node.requests == []


def test_a_key_that_the_console_works_with_meanwhile_is_left_alone(
    queued: str, browser: Client, node: Sandbox, alice: User, many: list[str]
) -> None:
    connect(alice, many[3])

    work_off_changes()

    assert labels_at(node) == ["console", "many-03"]
    item = BulkItem.objects.get(outcome="left")
    assert item.label == "many-03"
    assert "revoke it on its own page" in item.sentence
    assert state(browser, queued) == "done"


def test_a_key_that_has_not_ended_by_now_is_left_alone(
    browser: Client, node: Sandbox, account: Account
) -> None:
    """The node's clock was wrong when its keys were chosen."""
    for number in range(12):
        node.add_key(account, label=f"old-{number}", lifetime=timedelta(days=-2))
    browser.post("/keys/revoke-expired/")
    node.clock_offset = -timedelta(days=3).total_seconds()

    work_off_changes()

    assert set(outcomes()) == {"left"}
    assert sentences() == {"It has not ended by both clocks, Estuary's and ours."}
    assert deletes(node) == []


def test_a_list_that_was_not_read_whole_calls_no_missing_key_gone(
    queued: str, node: Sandbox, account: Account, many: list[str]
) -> None:
    for token in many:
        node.remove_key(token)
    node.state.keys[node.add_key(account)].row = b'{"tokenHash":"x"}'

    work_off_changes()

    assert set(outcomes()) == {"unknown"}
    assert sentences() == {"Estuary's list could not be read whole."}


def test_a_key_that_was_cancelled_while_the_list_was_read_stays_cancelled(
    queued: str, browser: Client, node: Sandbox, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remember = key_lists.remember

    def cancel_meanwhile(*arguments: Any) -> Any:
        browser.post(f"{queued}cancel/")
        return remember(*arguments)

    monkeypatch.setattr(key_lists, "remember", cancel_meanwhile)
    node.remove_key(many[0])

    work_off_changes()

    assert set(outcomes()) == {"cancelled"}
    assert deletes(node) == []


def test_cancelling_leaves_the_notes_that_were_not_set_yet(
    browser: Client, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = preview(browser, "note", key=hashes(many))
    browser.post(url, {"purpose": "x"})

    def cancel_after(*arguments: Any) -> None:
        save_note(*arguments)
        browser.post(f"{url}cancel/")

    monkeypatch.setattr(bulk_work, "save_note", cancel_after)

    work_off_changes()

    assert KeyNote.objects.count() == outcomes().count("done") == 1
    assert outcomes().count("cancelled") == 24
    assert state(browser, url) == "cancelled"


def test_cancelling_after_the_end_changes_and_records_nothing(
    browser: Client, few: list[str]
) -> None:
    url = preview(browser, "remind", key=hashes(few))
    browser.post(url, {"days": ["7"]})

    browser.post(f"{url}cancel/")

    assert state(browser, url) == "done"
    assert KeyReminder.objects.count() == 3
    assert ("keys:bulk-cancelled", "done") not in audited()


def test_cancelling_leaves_what_was_sent_to_be_confirmed(
    queued: str, browser: Client, node: Sandbox
) -> None:
    first = BulkItem.objects.order_by("position")[0]
    BulkItem.objects.filter(pk=first.pk).update(outcome="sent")

    browser.post(f"{queued}cancel/")

    assert state(browser, queued) == "running"
    assert BulkChange.objects.get().ended_at is None
    work_off_changes()
    assert outcomes()[0] == "revoked"
    assert set(outcomes()[1:]) == {"cancelled"}
    assert len(deletes(node)) == 1


def test_a_preview_cannot_be_cancelled_or_tried_again(
    browser: Client, node: Sandbox, few: list[str]
) -> None:
    """Else it would begin without its confirmation."""
    url = preview(browser, key=hashes(few))

    browser.post(f"{url}cancel/")
    browser.post(f"{url}retry/")

    assert state(browser, url) == "ready"
    assert outcomes() == ["waiting"] * 3
    assert deletes(node) == []


def test_what_is_still_running_is_not_tried_again(
    queued: str, browser: Client, node: Sandbox
) -> None:
    browser.post(f"{queued}retry/")

    assert set(outcomes()) == {"waiting"}
    assert AuditEntry.objects.filter(action=Action.BULK_STARTED).count() == 1


def test_what_is_tried_again_at_the_workers_last_moment_is_done(
    browser: Client, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = preview(browser, "note", key=hashes(many))
    browser.post(url, {"purpose": "x"})
    conclude = claims.conclude

    def cancel_first(*arguments: Any) -> None:
        save_note(*arguments)
        browser.post(f"{url}cancel/")

    def try_again_first(*arguments: Any, **changes: Any) -> None:
        monkeypatch.undo()
        browser.post(f"{url}retry/")
        conclude(*arguments, **changes)

    monkeypatch.setattr(bulk_work, "save_note", cancel_first)
    monkeypatch.setattr(claims, "conclude", try_again_first)

    work_off_changes()

    assert outcomes() == ["done"] * 25
    assert state(browser, url) == "done"
    assert BulkChange.objects.get().ended_at


def test_a_few_keys_that_are_tried_again_meanwhile_stay_due_until_that_has_ended(
    browser: Client, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = preview(browser, "note", key=hashes(few))
    open_items = bulk_work.open_items

    def tried_again(change: BulkChange) -> Any:
        BulkChange.objects.filter(pk=change.pk).update(claims=F("claims") + 1)
        return open_items(change)

    monkeypatch.setattr(bulk_work, "open_items", tried_again)

    browser.post(url, {"purpose": "x"})

    change = BulkChange.objects.get()
    assert change.due_at  # the worker finds it if this process dies in the new try
    assert change.ended_at is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\nb", "Take out line breaks and control characters."),
        ("\u3164", "This has no visible character: leave it empty."),
    ],
)
def test_a_note_that_nobody_could_read_is_refused(
    browser: Client, few: list[str], text: str, sentence: str
) -> None:
    url = preview(browser, "note", key=hashes(few))

    page = browser.post(url, {"purpose": text, "system": "web"})

    assert sentence in words_of(page)
    assert not KeyNote.objects.exists()


def test_a_list_from_before_a_trouble_gives_no_preview(
    browser: Client, node: Sandbox, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys may have changed since."""
    browser.get("/keys/")
    node.set_fault("list", Fault("500"))
    monkeypatch.setattr("keys.api_keys.key_lists.REUSE_LIST", timedelta(0))

    response = browser.post(URL, {"action": "revoke", "key": hashes(few)}, follow=True)

    assert "Nothing was changed. Estuary failed while working on this" in words_of(response)
    assert not BulkChange.objects.exists()
