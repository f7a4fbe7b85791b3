"""Prepared exports when Estuary, the storage, the database or a worker fails."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from keys.exports import preparing, progress
from keys.exports.file_store import FolderStore
from keys.exports.preparing import delete_strays, prepare_due
from keys.exports.sealed_files import SealedWriter
from keys.models import PreparedExport, StoredToken, Worker
from keys.sandbox import Fault, Sandbox
from tests.keys.evidence import asked, audited, words_of
from tests.keys.exports.conftest import PREPARE

OTHER_SEALING_KEY = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
SMALL = b'{"Version":"v0.0.1","Version1":{"Contents":[],"Deals":[]}}'


def only() -> PreparedExport:
    return PreparedExport.objects.get()


def page_of(row: PreparedExport) -> str:
    return f"/exports/{row.number}/"


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the node send this document as its export, as JSON and to its end."""

    def use(body: str) -> None:
        name = "keys.sandbox.estuary.handlers.export_body"
        monkeypatch.setattr(name, lambda *_, **__: iter([body.encode()]))

    return use


@pytest.fixture
def left_behind(prepared: PreparedExport, node: Sandbox) -> Worker:
    """Another worker, which holds Alice's export and has written a file for it."""
    other = Worker.objects.create(host="other", pid=1)
    PreparedExport.objects.update(
        state="running", claimed_by=other, due_at=timezone.now(), sha256="", expires_at=None
    )
    node.forget_requests()
    return other


def end(worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(ended_at=timezone.now())


@pytest.mark.parametrize(
    "body",
    [
        '{"Version":"v0.0.1","Date":"x","Version1":{"Contents":[{"id":1}{"id":2}],"Deals":[]}}',
        '{"Version":"v0.0.1","Date":"x","Version1":{}}',
        r'{"Version":"\ud800","Date":"x","Version1":{"Contents":[],"Deals":[]}}',
        r'{"Version":"a\u0000b","Date":"x","Version1":{"Contents":[],"Deals":[]}}',
    ],
    ids=["a comma is missing", "no lists", "a lone surrogate", "a NUL"],
)
def test_an_answer_that_only_begins_and_ends_as_an_export_does_is_not_ready(
    owner: Client,
    worker: Worker,
    folder: Path,
    answer_with: Callable[[str], None],
    body: str,
) -> None:
    answer_with(body)
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().reason) == ("failed", "unexpected-reply")
    assert "does not hold what it should" in words_of(owner.get(page_of(only())))
    assert only().started_at
    assert list(folder.iterdir()) == []


def test_an_export_is_prepared_although_estuary_tells_no_stats(
    owner: Client, worker: Worker, node: Sandbox
) -> None:
    """They only serve to guess its size."""
    node.set_fault("stats", Fault("500"))
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().expected_size) == ("ready", 0)


def test_a_token_that_cannot_be_unsealed_is_told(
    owner: Client, worker: Worker, node: Sandbox, settings: Any
) -> None:
    owner.post(PREPARE)
    settings.TOKEN_SEALING_KEYS = [OTHER_SEALING_KEY]

    prepare_due()

    assert (only().state, only().reason) == ("failed", "seal")
    assert "The connected key cannot be read. Connect it again." in words_of(
        owner.get(page_of(only()))
    )
    assert asked(node) == []


def test_a_file_that_cannot_be_read_back_is_told(
    owner: Client, worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(FolderStore, "open", failing)
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().reason) == ("failed", "storage")
    assert "could not be read back" in words_of(owner.get(page_of(only())))
    assert list(folder.iterdir()) == []


def test_another_document_in_the_place_of_estuarys_is_not_ready(
    owner: Client, worker: Worker, folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a seal, only its hash shows it."""
    settings.EXPORT_SEALED = False
    keep = FolderStore.keep

    def keep_another(self: FolderStore, file: Any) -> None:
        keep(self, file)
        with (folder / only().file_name).open("wb") as other:
            writer = SealedWriter(other, None)
            writer.write(SMALL)
            writer.finish()

    monkeypatch.setattr(FolderStore, "keep", keep_another)
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().reason) == ("failed", "storage")
    assert "not what Estuary sent" in words_of(owner.get(page_of(only())))


def test_a_database_that_fails_for_a_moment_does_not_break_the_export_off(
    owner: Client, worker: Worker, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(progress, "TELL_SECONDS", 0)
    monkeypatch.setattr(progress.Progress, "_tell", failing)
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().content_count) == ("ready", 3000)


def test_a_row_taken_over_before_estuary_is_asked_is_left_to_the_other_worker(
    owner: Client, worker: Worker, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_size = preparing._expected_size

    def taken_over(*arguments: Any) -> int:
        other = Worker.objects.create(host="other", pid=1)
        PreparedExport.objects.update(claims=99, claimed_by=other)
        return expected_size(*arguments)

    monkeypatch.setattr(preparing, "_expected_size", taken_over)
    owner.post(PREPARE)

    prepare_due()

    assert (only().state, only().tries) == ("queued", 0)
    assert "GET /user/export" not in asked(node)


def test_what_was_cancelled_while_its_worker_died_is_not_fetched_again(
    left_behind: Worker, owner: Client, node: Sandbox, folder: Path
) -> None:
    owner.post(f"{page_of(only())}cancel/")
    assert "It is being cancelled." in words_of(owner.get(page_of(only())))
    end(left_behind)

    prepare_due()

    assert (only().state, asked(node)) == ("cancelled", [])
    assert list(folder.iterdir()) == []


def test_cancelling_deletes_what_a_killed_worker_has_stored(
    left_behind: Worker, owner: Client, folder: Path
) -> None:
    end(left_behind)

    owner.post(f"{page_of(only())}cancel/")

    assert (only().state, only().file_key) == ("cancelled", "")
    assert list(folder.iterdir()) == []


def test_one_that_never_had_a_file_can_be_deleted(owner: Client) -> None:
    owner.post(PREPARE)
    owner.post(f"{page_of(only())}cancel/")

    answer = owner.post(f"{page_of(only())}delete/", follow=True)

    assert "Export deleted." in words_of(answer)
    assert not PreparedExport.objects.exists()


def test_a_second_click_on_delete_is_not_recorded(
    prepared: PreparedExport, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, delete = f"{page_of(prepared)}delete/", FolderStore.delete
    clicks = iter([url])

    def delete_twice(self: FolderStore, name: str) -> None:
        for second in clicks:
            owner.post(second)
        delete(self, name)

    monkeypatch.setattr(FolderStore, "delete", delete_twice)

    owner.post(url)

    assert audited().count(("export:deleted", "done")) == 1


def test_a_console_without_exports_has_no_files_to_delete(folder: Path, db: None) -> None:
    assert delete_strays() == 0
    assert not folder.exists()


@pytest.fixture
def later() -> Iterator[None]:
    """The files of the test are older than any that could be one that is being begun."""
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        yield


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_a_file_that_could_not_be_deleted_at_its_end_is_deleted_later(
    prepared: PreparedExport, later: None, folder: Path, state: str
) -> None:
    PreparedExport.objects.update(state=state, due_at=None)

    assert delete_strays() == 1

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("state", ["queued", "running", "verifying", "ready"])
def test_a_file_that_is_needed_is_not_deleted(
    prepared: PreparedExport, later: None, folder: Path, state: str
) -> None:
    PreparedExport.objects.update(state=state)

    assert delete_strays() == 0

    assert len(list(folder.iterdir())) == 1


def test_a_storage_that_fails_once_keeps_nothing_for_ever(
    prepared: PreparedExport, owner: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the file, nor those that come after it."""
    files, delete = ["f" * 32 + "-1", "0" * 32 + "-1"], FolderStore.delete
    for name in files:
        (folder / name).write_bytes(b"x")
    faults = iter([OSError(errno.EIO, "Input/output error")])

    def failing_once(self: FolderStore, name: str) -> None:
        for fault in faults:
            raise fault
        delete(self, name)

    monkeypatch.setattr(FolderStore, "delete", failing_once)

    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        assert delete_strays() == 1
        assert delete_strays() == 1

    assert [path.name for path in folder.iterdir()] == [only().file_name]


def test_a_file_that_is_begun_while_strays_are_looked_for_stays(
    prepared: PreparedExport, later: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine whose clock is behind, it even looks old."""
    names = FolderStore.names
    PreparedExport.objects.update(file_name="")

    def begun_meanwhile(self: FolderStore) -> Any:
        found = list(names(self))
        PreparedExport.objects.update(file_name=prepared.file_name)
        return found

    monkeypatch.setattr(FolderStore, "names", begun_meanwhile)

    assert delete_strays() == 0

    assert len(list(folder.iterdir())) == 1


def test_a_storage_that_lists_nothing_is_asked_again_tomorrow(
    prepared: PreparedExport, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: FolderStore) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(FolderStore, "names", away)

    assert delete_strays() == 0


def test_keys_of_files_that_are_moved_already_stay(
    prepared: PreparedExport, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("reseal_tokens")

    assert "prepared exports" not in capsys.readouterr().out
    assert only().file_key == prepared.file_key


def test_a_file_whose_sealing_key_is_lost_is_named_to_the_operator(
    prepared: PreparedExport, settings: Any
) -> None:
    StoredToken.objects.all().delete()
    settings.TOKEN_SEALING_KEYS = [OTHER_SEALING_KEY]
    told = io.StringIO()

    with pytest.raises(CommandError, match="Not everything was moved"):
        call_command("reseal_tokens", stderr=told)

    assert "1 prepared export cannot be opened with these" in told.getvalue()
    assert only().file_key == prepared.file_key
