"""Prepared exports: asked for, fetched, checked, kept, deleted; seen by their member only."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from keys.audit.vocabulary import Action
from keys.exports import file_store, leases, preparing, progress, room
from keys.exports.file_store import FolderStore
from keys.exports.preparing import delete_strays, expire_due, prepare_due
from keys.exports.sealed_files import SealedReader, file_key
from keys.jobs import workers
from keys.models import ExportLease, Message, PreparedExport, StoredToken, Worker
from keys.sandbox import Fault, Sandbox
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import asked, audited, last_row, words_of
from tests.keys.exports.conftest import PREPARE

EXPORT = "GET /user/export"


def only() -> PreparedExport:
    return PreparedExport.objects.get()


def page_of(row: PreparedExport) -> str:
    return f"/exports/{row.number}/"


def document_of(row: PreparedExport) -> bytes:
    with file_store.file_store().open(row.file_name) as file:
        reader = SealedReader(file, file_key(str(row.number), row.file_key))
        return b"".join(reader.pieces())


def test_it_is_asked_for_and_waits_for_the_worker(owner: Client, node: Sandbox) -> None:
    response = owner.post(PREPARE)

    row = only()
    assert response["Location"] == page_of(row)
    page = owner.get(page_of(row))
    assert 'data-state="queued"' in page.content.decode()
    assert "It waits for a background worker" in words_of(page)
    assert node.requests == []
    assert audited()[-1] == ("export:prepare-requested", "started")


def test_the_worker_stores_estuarys_answer_and_checks_it(
    prepared: PreparedExport, owner: Client, node: Sandbox, folder: Path
) -> None:
    document = document_of(prepared)
    found = json.loads(document)

    assert len(found["Version1"]["Contents"]) == prepared.content_count == 3000
    assert len(found["Version1"]["Deals"]) == prepared.deal_count
    assert (found["Version"], found["Date"]) == (
        prepared.document_version,
        prepared.document_date,
    )
    assert prepared.size == len(document)
    assert prepared.sha256 == hashlib.sha256(document).hexdigest()
    assert asked(node).count(EXPORT) == 1
    page = words_of(owner.get(page_of(prepared)))
    assert "3,000" in page
    assert prepared.sha256 in page
    assert "The file is complete" in page


def test_the_file_is_private_and_sealed(prepared: PreparedExport, folder: Path) -> None:
    file = folder / prepared.file_name

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert file.stat().st_size == prepared.stored_size < prepared.size
    assert document_of(prepared)[:30] not in file.read_bytes()


def test_sealing_can_be_switched_off(
    owner: Client, worker: Worker, settings: Any, folder: Path
) -> None:
    settings.EXPORT_SEALED = False
    owner.post(PREPARE)

    prepare_due()

    assert only().file_key == ""
    zstd_frame = b"\x28\xb5\x2f\xfd"
    assert (folder / only().file_name).read_bytes().startswith(zstd_frame)
    assert json.loads(document_of(only()))


def test_the_member_is_told_when_it_is_ready(prepared: PreparedExport, alice: User) -> None:
    message = Message.objects.get(member=alice)

    assert message.subject == "Your export is ready"
    assert page_of(prepared) in message.text
    assert "3,000 contents" in message.text
    assert last_row(Action.EXPORT_PREPARED).detail == {
        "export": str(prepared.number),
        "bytes": prepared.size,
        "sha256": prepared.sha256,
        "contents": 3000,
        "deals": prepared.deal_count,
    }
    assert last_row(Action.EXPORT_PREPARED).on_behalf_of == alice


def test_the_page_asks_again_until_the_state_is_final(owner: Client, worker: Worker) -> None:
    owner.post(PREPARE)
    part = owner.get(page_of(only()), headers=HTMX).content.decode()
    assert 'data-hx-trigger="every 2s"' in part
    assert "<html" not in part

    prepare_due()

    part = owner.get(page_of(only()), headers=HTMX).content.decode()
    assert 'data-state="ready"' in part
    assert "data-hx-trigger" not in part


@pytest.mark.parametrize("path", ["", "cancel/", "delete/"])
def test_nobody_else_sees_or_changes_it(
    prepared: PreparedExport, carol: User, path: str, node: Sandbox
) -> None:
    bob = User.objects.create_user("bob")
    url = page_of(prepared) + path

    for client in (signed_in(bob), signed_in(carol)):  # Carol is an admin
        answer = client.post(url) if path else client.get(url)
        assert answer.status_code == 404
        assert str(prepared.number) not in client.get("/exports/").content.decode()
    assert Client().post(url)["Location"].startswith("/accounts/login/")
    assert document_of(only())


def test_one_is_prepared_at_a_time(owner: Client, worker: Worker) -> None:
    owner.post(PREPARE)

    again = owner.post(PREPARE)

    assert again["Location"] == page_of(only())
    assert "being prepared already" in words_of(owner.get(again["Location"]))


def test_another_member_of_the_account_is_told_to_wait(
    owner: Client, carol: User, node: Sandbox
) -> None:
    connect(carol, next(one for one, key in node.state.keys.items() if key.user.name == "rich"))
    owner.post(PREPARE)
    other = signed_in(carol)

    other.post(PREPARE)

    assert "Somebody else is preparing an export" in words_of(other.get("/exports/"))
    assert PreparedExport.objects.count() == 1


def test_it_waits_until_a_download_has_ended(owner: Client, worker: Worker, node: Sandbox) -> None:
    download: Any = owner.post("/exports/download/")
    owner.post(PREPARE)

    prepare_due()

    assert only().state == "queued"
    assert asked(node).count(EXPORT) == 1
    assert b"".join(download.streaming_content)
    PreparedExport.objects.update(due_at=timezone.now())
    prepare_due()
    assert only().state == "ready"


def test_no_download_starts_beside_it(
    owner: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    store = preparing._store

    def watched(*arguments: Any) -> Any:
        seen.append(owner.post("/exports/download/").status_code)
        return store(*arguments)

    monkeypatch.setattr(preparing, "_store", watched)
    owner.post(PREPARE)

    prepare_due()

    assert seen == [409]
    assert only().state == "ready"
    assert not ExportLease.objects.exists()


@pytest.mark.parametrize(
    ("fault", "reason", "sentence"),
    [
        (Fault("500"), "failed", "Estuary failed while working on this"),
        (Fault("401-expired"), "token-expired", "has expired"),
        (Fault("429"), "rate-limited", "Estuary is busy"),
        (Fault("html"), "unexpected-reply", "not as Estuary does"),
        (Fault("reset-before"), "unavailable", "broke off"),
        (Fault("never"), "unavailable", "did not answer in time"),
        (Fault("cut", size=500_000), "unavailable", "broke off before its answer was complete"),
        (Fault("truncated-json", size=600_000), "unexpected-reply", "ended before it was complete"),
        (Fault("truncated", size=600_000), "unavailable", "broke off before its answer"),
        (Fault("null"), "unexpected-reply", "could not be read"),
        (Fault("object"), "unexpected-reply", "does not hold what it should"),
        (Fault("invalid-utf8"), "unexpected-reply", "could not be read"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_a_failure_of_estuarys_is_told_and_leaves_nothing(
    owner: Client,
    alice: User,
    worker: Worker,
    node: Sandbox,
    settings: Any,
    folder: Path,
    fault: Fault,
    reason: str,
    sentence: str,
) -> None:
    settings.ESTUARY_EXPORT_TIMEOUT = 0.5 if fault.kind == "never" else 60
    node.set_fault("export", fault)
    owner.post(PREPARE)

    prepare_due()
    prepare_due()

    row = only()
    assert (row.state, row.reason, row.sha256, row.file_key) == ("failed", reason, "", "")
    page = owner.get(page_of(row))
    assert sentence in words_of(page)
    assert 'data-state="failed"' in page.content.decode()
    assert asked(node).count(EXPORT) == 1  # a second try would cost Estuary as much again
    assert list(folder.iterdir() if folder.exists() else []) == []
    assert last_row(Action.EXPORT_PREPARE_FAILED).detail["reason"] == reason
    assert sentence in Message.objects.get(member=alice).text
    node.clear_faults()
    settings.ESTUARY_EXPORT_TIMEOUT = 60
    owner.post(PREPARE)
    prepare_due()
    assert PreparedExport.objects.latest("pk").state == "ready"


def test_it_is_cancelled_while_a_small_file_is_checked(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = preparing._checked_file

    def cancelling(*arguments: Any) -> Any:
        owner.post(f"{page_of(only())}cancel/")
        return check(*arguments)

    monkeypatch.setattr(preparing, "_checked_file", cancelling)
    owner.post(PREPARE)

    prepare_due()

    assert only().state == "cancelled"
    assert list(folder.iterdir()) == []
    assert Message.objects.count() == 0


@pytest.mark.parametrize("when", ["asked for", "prepared"])
def test_a_storage_that_does_not_answer_is_told(
    owner: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def stale(_: FolderStore) -> int:
        raise OSError(errno.ESTALE, "Stale file handle")

    if when == "prepared":
        owner.post(PREPARE)
    monkeypatch.setattr(FolderStore, "free_bytes", stale)
    if when == "asked for":
        answer = owner.post(PREPARE, follow=True)
        assert not PreparedExport.objects.exists()
    else:
        prepare_due()
        assert (only().state, only().reason) == ("failed", "storage")
        answer = owner.get(page_of(only()))

    assert "The storage for exports does not answer" in words_of(answer)


def test_an_account_too_large_for_estuary_has_its_own_sentence(
    alice: User, node: Sandbox, worker: Worker, folder: Path
) -> None:
    connect(alice, node.add_key(node.add_user("huge", contents=80_000)))
    node.truncate_exports = True
    browser = signed_in(alice)
    browser.post(PREPARE)

    prepare_due()

    page = words_of(browser.get(page_of(only())))
    assert "more than 65,535 contents, which Estuary cannot export" in page
    assert "ask the operator of the Estuary node for your data" in page


def test_it_is_cancelled_at_once_while_it_waits(owner: Client, node: Sandbox) -> None:
    owner.post(PREPARE)

    owner.post(f"{page_of(only())}cancel/")

    assert only().state == "cancelled"
    assert audited()[-1] == ("export:prepare-cancelled", "done")
    assert "already" in words_of(owner.post(f"{page_of(only())}cancel/", follow=True))
    assert node.requests == []


@pytest.mark.parametrize("button", ["cancel", "stop"])
def test_it_is_cancelled_while_it_runs(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    monkeypatch.setattr(progress, "TELL_SECONDS", 0)
    store = preparing._store

    def cancelling(*arguments: Any) -> Any:
        if button == "cancel":
            owner.post(f"{page_of(only())}cancel/")
            assert "It is being cancelled." in words_of(owner.get(page_of(only())))
        else:
            stop = {"export": str(ExportLease.objects.get().pk)}
            owner.post("/exports/stop/", stop)
            leases.renew([ExportLease.objects.get().pk])
            progress_of: Any = arguments[3]
            progress_of._running.interrupt("stopped")
        return store(*arguments)

    monkeypatch.setattr(preparing, "_store", cancelling)
    owner.post(PREPARE)

    prepare_due()

    assert only().state == "cancelled"
    assert list(folder.iterdir()) == []
    assert not ExportLease.objects.exists()
    assert Message.objects.count() == 0


def test_it_is_cancelled_while_estuary_builds_the_file(
    owner: Client, worker: Worker, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TELL_SECONDS", 0)
    node.set_fault("export", Fault("never"))
    owner.post(PREPARE)
    PreparedExport.objects.update(cancel_requested=True)
    monkeypatch.setattr(preparing, "_confirm_wanted", lambda _: None)

    prepare_due()

    assert only().state == "cancelled"


def test_a_full_disk_is_told_and_leaves_nothing(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = FolderStore.create

    class FullDisk:
        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            self.file.close()

    monkeypatch.setattr(FolderStore, "create", lambda self, name: FullDisk(create(self, name)))
    owner.post(PREPARE)

    prepare_due()

    assert only().reason == "disk-full"
    assert "no room left" in words_of(owner.get(page_of(only())))
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_at_the_end_is_told(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        FolderStore,
        "create",
        lambda *_: os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", 1 << 26),
    )
    owner.post(PREPARE)

    prepare_due()

    assert only().reason == "disk-full"


def test_a_nearly_full_disk_is_not_filled(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may be on it, and must be able to go on."""
    monkeypatch.setattr(FolderStore, "free_bytes", lambda _: room.MIN_FREE_BYTES - 1)

    owner.post(PREPARE)

    assert "no room left" in words_of(owner.get("/exports/"))
    assert not PreparedExport.objects.exists()

    monkeypatch.setattr(FolderStore, "free_bytes", lambda _: room.MIN_FREE_BYTES + 1_000_000)
    owner.post(PREPARE)
    monkeypatch.setattr(FolderStore, "free_bytes", lambda _: room.MIN_FREE_BYTES - 1)
    prepare_due()
    assert only().reason == "disk-full"


def test_a_quota_bounds_what_an_account_keeps(
    prepared: PreparedExport, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    PreparedExport.objects.update(stored_size=20 * 1024**3)

    owner.post(PREPARE)

    assert "take all the room" in words_of(owner.get("/exports/"))
    assert PreparedExport.objects.count() == 1
    owner.post(f"{page_of(prepared)}delete/")
    owner.post(PREPARE)
    monkeypatch.setattr(room, "LOOK_EVERY_BYTES", 1)
    monkeypatch.setattr(room.Room, "_check", _over_quota_when_written)
    prepare_due()
    assert only().reason == "quota"


def _over_quota_when_written(_: room.Room, needed: int, written: int = 0) -> None:
    if written:
        raise room.NoRoom("quota")


def test_what_was_changed_on_the_disk_is_not_ready(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = FolderStore.keep

    def keep_and_damage(self: FolderStore, file: Any) -> None:
        keep(self, file)
        path = folder / only().file_name
        path.write_bytes(path.read_bytes()[:-100])

    monkeypatch.setattr(FolderStore, "keep", keep_and_damage)
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().reason) == ("failed", "storage")
    assert "not what Estuary sent" in words_of(owner.get(page_of(only())))


def test_it_is_deleted_when_its_member_wants(
    prepared: PreparedExport, owner: Client, folder: Path
) -> None:
    owner.post(f"{page_of(prepared)}delete/")

    assert not PreparedExport.objects.exists()
    assert list(folder.iterdir()) == []
    assert audited()[-1] == ("export:deleted", "done")


def test_a_running_one_is_not_deleted(owner: Client) -> None:
    owner.post(PREPARE)

    response = owner.post(f"{page_of(only())}delete/", follow=True)

    assert "Cancel it first" in words_of(response)
    assert only().state == "queued"


def test_the_worker_deletes_it_when_its_time_is_over(
    prepared: PreparedExport, owner: Client, folder: Path, settings: Any
) -> None:
    expire_due()
    assert only().state == "ready"

    PreparedExport.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    expire_due()

    row = only()
    assert (row.state, row.file_key) == ("expired", "")
    assert list(folder.iterdir()) == []
    assert audited()[-1] == ("export:expired", "done")
    assert "deleted when its time was over" in words_of(owner.get(page_of(row)))


def test_it_is_kept_for_seven_days_unless_configured(
    owner: Client, worker: Worker, settings: Any
) -> None:
    settings.EXPORT_DAYS = 2
    owner.post(PREPARE)

    prepare_due()

    row = only()
    assert row.ended_at is not None
    assert row.expires_at == row.due_at == row.ended_at + timedelta(days=2)


def test_files_that_no_row_names_are_deleted_once_they_are_old(
    prepared: PreparedExport, folder: Path
) -> None:
    now = timezone.now()
    for name in (f"{uuid4().hex}-1", "somebody-elses"):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (now.timestamp(), now.timestamp()))
    assert delete_strays() == 0

    with time_machine.travel(now + timedelta(hours=2), tick=False):
        assert delete_strays() == 1

    left = {path.name for path in folder.iterdir()}
    assert left == {prepared.file_name, "somebody-elses"}


def test_an_export_that_is_ready_is_listed_behind_any_number_that_failed(
    prepared: PreparedExport, owner: Client, alice: User
) -> None:
    old = PreparedExport.objects.create(
        member=alice, token_hash="o" * 43, state="ready", expires_at=prepared.expires_at
    )
    running = PreparedExport.objects.create(member=alice, token_hash="r" * 43)
    PreparedExport.objects.update(created_at=timezone.now() - timedelta(days=1))
    failed = [
        PreparedExport.objects.create(member=alice, token_hash="f" * 43, state="failed")
        for _ in range(21)
    ]

    page = owner.get("/exports/").content.decode()

    for row in (prepared, old, running):
        assert f'href="/exports/{row.number}/"' in page
    assert page.count(f'<option value="{prepared.number}"') == 2  # it can still be compared
    assert [row for row in failed if str(row.number) not in page] == failed[:1]


def test_a_disconnected_account_is_told(owner: Client, worker: Worker) -> None:
    owner.post(PREPARE)
    StoredToken.objects.all().delete()

    prepare_due()

    assert only().reason == "disconnected"


def test_a_member_without_a_token_is_redirected_to_connect(alice: User, node: Sandbox) -> None:
    assert signed_in(alice).post(PREPARE)["Location"] == "/account/token/"
    assert not PreparedExport.objects.exists()


def test_a_member_cannot_keep_estuary_busy_with_requests(owner: Client, settings: Any) -> None:
    settings.MEMBER_CHANGES_PER_MINUTE = 2
    for _ in range(2):
        owner.post(PREPARE)
        owner.post(f"{page_of(PreparedExport.objects.latest('pk'))}cancel/")

    assert owner.post(PREPARE).status_code == 429


def test_sealing_keys_can_be_changed(
    prepared: PreparedExport, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    document, old = document_of(prepared), settings.TOKEN_SEALING_KEYS
    settings.TOKEN_SEALING_KEYS = ["YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=", *old]

    call_command("reseal_tokens")

    settings.TOKEN_SEALING_KEYS = settings.TOKEN_SEALING_KEYS[:1]
    assert document_of(only()) == document
    assert "Moved 1 key of prepared exports" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_ends_leaves_it_to_the_next_one(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()
    monkeypatch.setattr(workers, "stop_requested", stopping)
    store = preparing._store

    def stopped(*arguments: Any) -> Any:
        stopping.set()
        return store(*arguments)

    monkeypatch.setattr(preparing, "_store", stopped)
    owner.post(PREPARE)
    prepare_due()
    assert only().state == "queued"
    assert list(folder.iterdir()) == []

    stopping.clear()
    monkeypatch.setattr(preparing, "_store", store)
    prepare_due()

    assert only().state == "ready"
    assert only().tries == 2


def test_a_row_taken_over_by_another_worker_is_not_written(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TELL_SECONDS", 0)
    store = preparing._store

    def taken_over(*arguments: Any) -> Any:
        other = Worker.objects.create(host="other", pid=1)
        PreparedExport.objects.update(claims=99, claimed_by=other)
        return store(*arguments)

    monkeypatch.setattr(preparing, "_store", taken_over)
    owner.post(PREPARE)

    prepare_due()

    assert only().state == "running"
    assert only().sha256 == ""
    assert list(folder.iterdir()) == []


def test_an_export_that_restarts_break_off_again_and_again_fails(
    owner: Client, worker: Worker, node: Sandbox
) -> None:
    owner.post(PREPARE)
    PreparedExport.objects.update(tries=preparing.MAX_TRIES)

    prepare_due()

    assert only().reason == "interrupted"
    assert node.requests == []


def test_a_file_that_is_complete_is_checked_without_asking_estuary_again(
    prepared: PreparedExport, node: Sandbox
) -> None:
    """As a worker finds it that follows one which was killed while it checked."""
    node.forget_requests()
    PreparedExport.objects.update(state="verifying", due_at=timezone.now(), content_count=0)

    prepare_due()

    assert (only().state, only().content_count) == ("ready", 3000)
    assert asked(node) == []
