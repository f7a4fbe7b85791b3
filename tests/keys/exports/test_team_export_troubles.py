"""Team exports when members go, rooms fill up, or two people act at once."""

from __future__ import annotations

import errno
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.exports import preparing, progress, room, team_exports, team_parts
from keys.exports.file_store import FolderStore
from keys.exports.preparing import expire_due, prepare_due
from keys.exports.queueing import queue_export
from keys.exports.team_parts import advance_all
from keys.models import ExportLease, Message, PreparedExport, StoredToken, TeamExport
from keys.sandbox import Fault, Sandbox
from tests.keys.evidence import audited, last_row, words_of
from tests.keys.exports.test_team_export import (
    START,
    admin,
    archive_of,
    bob,
    manifest_of,
    only,
    ready,
    states,
    team,
    url_of,
)

__all__ = ["admin", "bob", "ready", "team"]


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team_parts, "MAX_PARTS_AT_ONCE", 1)


def prepare_without_noting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare the parts that are queued, as a worker does that is killed right after."""
    with monkeypatch.context() as patch:
        patch.setattr("keys.exports.preparing.team_parts.advance", lambda _: None)
        prepare_due()


def test_each_part_is_queued_in_a_transaction_of_its_own(
    team: None, admin: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member who asks for their own export meanwhile waits for the audit's lock: a transaction
    that has it must not wait for the member's row."""

    def killed_at_the_second(actor: Actor, stored: StoredToken, row: TeamExport) -> Any:
        if stored.member == bob:
            raise KeyboardInterrupt
        return queue_export(actor, stored, row)

    with monkeypatch.context() as patch:
        patch.setattr(team_parts, "queue_export", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            admin.post(START)
    assert states() == {"alice": "running", "bob": "pending"}

    advance_all()

    assert states() == {"alice": "running", "bob": "running"}
    prepare_due()
    assert only().state == "ready"


def test_an_archive_that_is_ready_is_listed_behind_any_number_that_failed(
    ready: TeamExport, admin: Client
) -> None:
    failed = [TeamExport.objects.create(state="failed") for _ in range(11)]

    page = admin.get("/exports/").content.decode()

    assert url_of(ready) in page
    assert [row for row in failed if url_of(row) not in page] == failed[:1]


def test_the_manifest_can_be_taken_alone(ready: TeamExport, admin: Client) -> None:
    response = admin.get(url_of(ready, "manifest.json"))

    assert response.json() == manifest_of(archive_of(admin, ready))
    name = f"{ready.number.hex[:6]}-manifest.json"
    assert name in response["Content-Disposition"]
    assert response["Content-Type"] == "application/json"


def test_a_number_that_is_none_is_not_found(admin: Client) -> None:
    assert admin.get(f"/exports/team/{uuid4()}/").status_code == 404
    assert admin.get(f"/exports/team/{uuid4()}/file/").status_code == 404


def test_a_storage_that_does_not_answer_asks_to_come_back(
    ready: TeamExport, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    url = url_of(ready, "file/")
    monkeypatch.setattr(FolderStore, "open", away)

    assert "The storage for exports does not answer" in words_of(admin.get(url, follow=True))
    resumed = admin.get(url, headers={"Range": "bytes=0-"})
    assert (resumed.status_code, resumed["Retry-After"]) == (503, "30")
    assert ("export:team-downloaded", "started") not in audited()


def test_a_member_who_disconnects_while_they_wait_is_named(
    team: None, admin: Client, bob: User, one_at_a_time: None
) -> None:
    admin.post(START)
    StoredToken.objects.filter(member=bob).delete()

    prepare_due()

    assert states() == {"alice": "ready", "bob": "failed"}
    assert "This member is not connected any more." in words_of(admin.get(url_of(only())))
    assert "1 of 2 members was exported" in Message.objects.get(kind="team_export.ready").text


def test_a_member_who_is_deleted_meanwhile_is_named(team: None, admin: Client, bob: User) -> None:
    admin.post(START)
    User.objects.filter(pk=bob.pk).delete()

    prepare_due()
    advance_all()

    assert states() == {"alice": "ready", "bob": "failed"}
    found = {entry["member"]: entry for entry in manifest_of(archive_of(admin, only()))["members"]}
    assert (found["bob"]["state"], found["bob"]["reason"]) == ("failed", "deleted")


def test_a_disk_without_room_fails_the_members_who_wait(
    team: None, admin: Client, one_at_a_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(START)
    prepare_without_noting(monkeypatch)
    monkeypatch.setattr(FolderStore, "free_bytes", lambda _: room.MIN_FREE_BYTES - 1)

    advance_all()

    assert states() == {"alice": "ready", "bob": "failed"}
    assert "no room left for another file" in words_of(admin.get(url_of(only())))


def test_a_member_who_stops_the_export_of_their_data_is_named(
    team: None, admin: Client, owner: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = preparing._store

    def stopping(*arguments: Any) -> Any:
        lease = ExportLease.objects.get()
        if lease.started_by == alice:
            owner.post("/exports/stop/", {"export": str(lease.pk)})
            running: Any = arguments[3]._running
            running.interrupt("stopped")
        return store(*arguments)

    monkeypatch.setattr(preparing, "_store", stopping)
    admin.post(START)

    prepare_due()

    assert states() == {"alice": "failed", "bob": "ready"}
    assert "It was cancelled." in words_of(admin.get(url_of(only())))


def test_a_part_that_expired_before_it_was_noted_has_failed(
    team: None, admin: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(START)
    prepare_without_noting(monkeypatch)
    PreparedExport.objects.filter(member=bob).update(due_at=timezone.now())
    expire_due()

    advance_all()

    assert states() == {"alice": "ready", "bob": "failed"}
    assert "expired before the others were ready" in words_of(admin.get(url_of(only())))


def test_a_part_whose_deletion_failed_once_is_kept_as_long_as_the_archive(
    team: None, admin: Client, node: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time was over while another member was tried again."""

    def away(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    node.set_fault("export", Fault("500", times=1))
    admin.post(START)
    prepare_due()
    admin.post(url_of(only(), "retry/"))
    PreparedExport.objects.filter(state="ready").update(due_at=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "delete", away)
        expire_due()

    prepare_due()
    expire_due()

    assert set(states().values()) == {"ready"}
    assert len(list(folder.iterdir())) == 2


def test_a_part_that_expires_while_another_is_tried_again_is_not_counted(
    team: None, admin: Client, bob: User, carol: User, node: Sandbox
) -> None:
    node.set_fault("export", Fault("500", times=1))
    admin.post(START)
    prepare_due()
    [failed] = [name for name, state in states().items() if state == "failed"]
    admin.post(url_of(only(), "retry/"))
    PreparedExport.objects.filter(state="ready").update(due_at=timezone.now())
    expire_due()

    prepare_due()

    assert states()[failed] == "ready"
    assert sorted(states().values()) == ["failed", "ready"]
    assert last_row(Action.TEAM_EXPORT_ENDED).detail["members"] == 1
    told = Message.objects.filter(member=carol, kind="team_export.ready").latest("pk")
    assert "1 of 2 members was exported" in told.text
    admin.post(url_of(only(), "retry/"))
    prepare_due()
    assert set(states().values()) == {"ready"}


def test_a_member_is_told_once_that_their_data_was_exported(
    ready: TeamExport, admin: Client, alice: User
) -> None:
    TeamExport.objects.update(state="running")

    advance_all()

    assert only().state == "ready"
    assert Message.objects.filter(member=alice, kind="export.by_admin").count() == 1


def test_a_member_is_not_told_of_data_that_no_admin_could_have(
    team: None, admin: Client, one_at_a_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(START)
    prepare_without_noting(monkeypatch)
    advance_all()
    assert sorted(states().values()) == ["ready", "running"]
    assert not Message.objects.filter(kind="export.by_admin").exists()

    admin.post(url_of(only(), "cancel/"))
    prepare_due()
    advance_all()

    assert not Message.objects.filter(kind="export.by_admin").exists()


def test_each_member_is_told_once_when_some_are_tried_again(
    team: None, admin: Client, node: Sandbox
) -> None:
    def told() -> list[str]:
        messages = Message.objects.filter(kind="export.by_admin").order_by("pk")
        return [message.member.username for message in messages]

    node.set_fault("export", Fault("500", times=1))
    admin.post(START)
    prepare_due()
    [failed] = [name for name, state in states().items() if state == "failed"]
    [exported] = [name for name, state in states().items() if state == "ready"]
    assert told() == [exported]

    admin.post(url_of(only(), "retry/"))
    prepare_due()

    assert told() == [exported, failed]


def test_a_member_is_told_of_each_team_export(ready: TeamExport, admin: Client, bob: User) -> None:
    admin.post(START)
    prepare_due()

    assert Message.objects.filter(member=bob, kind="export.by_admin").count() == 2


def test_the_archive_is_ready_although_its_admin_is_gone(
    team: None, admin: Client, carol: User
) -> None:
    admin.post(START)
    User.objects.filter(pk=carol.pk).delete()

    prepare_due()

    assert (only().state, only().requested_by_name) == ("ready", "carol")


def test_an_expiry_that_another_worker_wrote_is_recorded_once(
    ready: TeamExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record_and_look_again(*arguments: Any, **options: Any) -> None:
        record_action(*arguments, **options)
        advance_all()

    monkeypatch.setattr(team_parts, "record_action", record_and_look_again)

    TeamExport.objects.create(state="ready", expires_at=ready.expires_at)

    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        advance_all()  # the second one has expired by the time that its turn comes

    assert audited().count(("export:team-expired", "done")) == 2


def test_a_part_that_ends_after_its_team_export_was_cancelled_changes_nothing(
    team: None, admin: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = preparing._store

    def cancelling(*arguments: Any) -> Any:
        admin.post(url_of(only(), "cancel/"))
        return store(*arguments)

    monkeypatch.setattr(progress, "TELL_SECONDS", 0)
    monkeypatch.setattr(preparing, "_store", cancelling)
    admin.post(START)

    prepare_due()

    assert only().state == "cancelled"
    assert set(states().values()) == {"failed"}
    assert list(folder.iterdir()) == []
    assert not Message.objects.exists()


def test_two_admins_who_start_at_once_get_the_same_export(
    team: None, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(START)
    monkeypatch.setattr(team_exports, "running", lambda: None)  # it looked a moment before

    second = admin.post(START)

    assert second["Location"] == url_of(only())
    assert audited().count(("export:team-requested", "started")) == 1


def test_a_failed_one_is_not_tried_again_while_another_runs(
    team: None, admin: Client, node: Sandbox
) -> None:
    node.set_fault("export", Fault("500"))
    admin.post(START)
    prepare_due()
    failed = only()
    admin.post(START)

    answer = admin.post(url_of(failed, "retry/"), follow=True)

    assert "Nothing was started" in words_of(answer)
    failed.refresh_from_db()
    assert failed.state == "failed"
    assert {part.state for part in failed.parts.all()} == {"failed"}


def test_a_second_click_on_delete_is_not_recorded(
    ready: TeamExport, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, delete = url_of(ready, "delete/"), FolderStore.delete
    clicks = iter([url])

    def delete_twice(self: FolderStore, name: str) -> None:
        for second in clicks:
            admin.post(second)
        delete(self, name)

    monkeypatch.setattr(FolderStore, "delete", delete_twice)

    admin.post(url)

    assert audited().count(("export:team-deleted", "done")) == 1
