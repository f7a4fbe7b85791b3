"""The archive of all members: prepared part by part, for admins alone, told to every member."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.audit.vocabulary import Action
from keys.exports import team_parts
from keys.exports.preparing import expire_due, prepare_due
from keys.exports.team_parts import advance_all
from keys.models import AuditEntry, Message, PreparedExport, StoredToken, TeamExport, Worker
from keys.sandbox import Fault, Sandbox
from tests.conftest import HTMX, connect, signed_in
from tests.keys.evidence import audited, last_row, words_of
from tests.keys.exports.conftest import PREPARE

START = "/exports/team/"


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def admin(carol: User) -> Client:
    return signed_in(carol)


@pytest.fixture
def team(owner: Client, bob: User, node: Sandbox, worker: Worker) -> None:
    """Alice with 3000 contents, and Bob with 10."""
    connect(bob, node.add_key(node.add_user("small", contents=10)))
    node.forget_requests()


@pytest.fixture
def ready(team: None, admin: Client) -> TeamExport:
    admin.post(START)
    prepare_due()
    row = only()
    assert row.state == "ready"
    return row


def only() -> TeamExport:
    return TeamExport.objects.get()


def url_of(row: TeamExport, path: str = "") -> str:
    return f"/exports/team/{row.number}/{path}"


def archive_of(admin: Client, row: TeamExport) -> bytes:
    response: Any = admin.get(url_of(row, "file/"))
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def link_of(admin: Client, row: TeamExport) -> str:
    """The address of the archive that the page shows."""
    [link] = re.findall(r'href="([^"]+/file/[^"]*)"', admin.get(url_of(row)).content.decode())
    return str(link)


def manifest_of(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return json.loads(archive.read("manifest.json"))


def states() -> dict[str, str]:
    return {part.member_name: part.state for part in only().parts.all()}


def test_an_admin_gets_one_archive_of_all_connected_members(
    ready: TeamExport, admin: Client, node: Sandbox
) -> None:
    data = archive_of(admin, ready)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        files = {name: archive.read(name) for name in archive.namelist()}
    found = {entry["member"]: entry for entry in manifest["members"]}
    assert set(found) == {"alice", "bob"}
    assert len(files) == 3
    for name, contents in (("alice", 3000), ("bob", 10)):
        entry = found[name]
        document = files[entry["file"]["name"]]
        assert entry["state"] == "exported"
        assert entry["contents"] == contents
        assert len(json.loads(document)["Version1"]["Contents"]) == contents
        assert entry["file"]["sha256"] == hashlib.sha256(document).hexdigest()
        assert entry["file"]["bytes"] == len(document)
    assert manifest["requested_by"] == "carol"
    assert sum(request.path == "/user/export" for request in node.requests) == 2


def test_the_files_are_sealed_and_not_in_the_members_own_lists(
    ready: TeamExport, owner: Client, folder: Path
) -> None:
    files = list(folder.iterdir())
    assert len(files) == 2
    assert all(b'"Contents"' not in path.read_bytes() for path in files)
    for row in PreparedExport.objects.all():
        assert owner.get(f"/exports/{row.number}/").status_code == 404
        assert owner.get(f"/exports/{row.number}/file/").status_code == 404
        assert str(row.number) not in owner.get("/exports/").content.decode()


@pytest.mark.parametrize("start", [0, 1, 40, 700, 5000, 1_048_577, -1, -22, -200, -3000])
def test_a_download_of_the_archive_resumes_at_any_byte(
    ready: TeamExport, admin: Client, start: int
) -> None:
    whole = archive_of(admin, ready)
    wanted = f"bytes={start}-" if start >= 0 else f"bytes={start}"

    response: Any = admin.get(link_of(admin, ready), headers={"Range": wanted})

    assert response.status_code == 206
    assert b"".join(response.streaming_content) == whole[start:]
    assert response["Content-Length"] == str(len(whole[start:]))


def test_the_archive_has_a_length_an_etag_and_ranges(ready: TeamExport, admin: Client) -> None:
    url = url_of(ready, "file/")
    head = admin.head(url)
    whole = archive_of(admin, ready)

    assert head["Content-Length"] == str(len(whole))
    assert head["Accept-Ranges"] == "bytes"
    assert head["Content-Type"] == "application/zip"
    assert head["Cache-Control"] == "no-store"
    assert head.content == b""
    other: Any = admin.get(url, headers={"Range": "bytes=5-9", "If-Range": '"another"'})
    assert b"".join(other.streaming_content) == whole
    same: Any = admin.get(url, headers={"Range": "bytes=5-9", "If-Range": head["ETag"]})
    assert b"".join(same.streaming_content) == whole[5:10]
    changed = admin.get(url, headers={"Range": "bytes=5-9", "If-Match": '"another"'})
    assert changed.status_code == 412
    firefox: Any = admin.get(url, headers={"Range": "bytes=5-9", "If-Match": head["ETag"]})
    assert b"".join(firefox.streaming_content) == whole[5:10]
    known = admin.get(url, headers={"If-None-Match": head["ETag"]})
    assert (known.status_code, known["ETag"]) == (304, head["ETag"])
    behind = admin.get(link_of(admin, ready), headers={"Range": f"bytes={len(whole)}-"})
    assert (behind.status_code, behind["Content-Range"]) == (416, f"bytes */{len(whole)}")


@pytest.mark.parametrize("change", ["another try", "a member who is gone"])
def test_a_download_does_not_join_two_archives(
    team: None, admin: Client, node: Sandbox, bob: User, change: str
) -> None:
    """curl resumes by the address alone."""
    if change == "another try":
        node.set_fault("export", Fault("500", times=1))
    admin.post(START)
    prepare_due()
    before, first = link_of(admin, only()), archive_of(admin, only())
    if change == "another try":
        admin.post(url_of(only(), "retry/"))
        prepare_due()
    else:
        bob.delete()

    rest = admin.get(before, headers={"Range": "bytes=100-"})

    assert (rest.status_code, rest["Content-Type"]) == (412, "text/plain")
    assert b"The archive has changed since this download began." in rest.content
    etag = admin.head(before)["ETag"]
    assert admin.get(before, headers={"Range": "bytes=1-", "If-Range": etag}).status_code == 206
    whole: Any = admin.get(before)  # a link that was kept leads to the archive there is
    assert b"".join(whole.streaming_content) == archive_of(admin, only()) != first
    now: Any = admin.get(link_of(admin, only()), headers={"Range": "bytes=100-"})
    assert now.status_code == 206
    assert b"".join(now.streaming_content) == archive_of(admin, only())[100:]


def test_the_bare_address_of_an_archive_gives_the_whole_of_it(
    ready: TeamExport, admin: Client
) -> None:
    """Nothing says of which archive the bytes are that its reader has."""
    whole: Any = admin.get(url_of(ready, "file/"), headers={"Range": "bytes=100-"})

    assert (whole.status_code, "Content-Range" in whole) == (200, False)
    assert b"".join(whole.streaming_content) == archive_of(admin, ready)


def test_an_archive_with_everybody_names_nobody_who_is_missing(team: None, admin: Client) -> None:
    admin.post(START)
    assert "0 of 2 members done." in words_of(admin.get(url_of(only())))
    prepare_due()

    page = words_of(admin.get(url_of(only())))

    assert "Every member is in the archive." in page
    assert "missing" not in page


def test_who_failed_and_why_is_in_the_manifest(team: None, admin: Client, bob: User) -> None:
    admin.post(START)
    StoredToken.objects.filter(member=bob).delete()
    prepare_due()

    manifest = manifest_of(archive_of(admin, only()))

    found = {entry["member"]: entry for entry in manifest["members"]}
    assert found["alice"]["state"] == "exported"
    assert (found["bob"]["state"], found["bob"]["reason"]) == ("failed", "disconnected")
    assert "no longer connected" in found["bob"]["sentence"]
    page = words_of(admin.get(url_of(only())))
    assert "The archive has 1 of 2 members. Its manifest says who is missing" in page


def test_only_the_members_who_failed_are_exported_again(
    team: None, admin: Client, node: Sandbox
) -> None:
    node.set_fault("export", Fault("500", times=1))
    admin.post(START)
    prepare_due()
    assert sorted(states().values()) == ["failed", "ready"]
    first = archive_of(admin, only())
    node.clear_faults()
    node.forget_requests()

    admin.post(url_of(only(), "retry/"))
    assert only().state == "running"
    prepare_due()

    assert (only().state, set(states().values())) == ("ready", {"ready"})
    assert sum(request.path == "/user/export" for request in node.requests) == 1
    assert len(manifest_of(archive_of(admin, only()))["members"]) == 2
    assert len(archive_of(admin, only())) > len(first)
    admin.post(url_of(only(), "retry/"))
    assert only().state == "ready"


def test_nobody_exported_is_a_failure(team: None, admin: Client, node: Sandbox) -> None:
    node.set_fault("export", Fault("500"))
    admin.post(START)
    prepare_due()

    assert (only().state, only().expires_at) == ("failed", None)
    assert "No member could be exported" in words_of(admin.get(url_of(only())))
    assert "no archive" in words_of(admin.get(url_of(only(), "file/"), follow=True))
    assert admin.get(url_of(only(), "manifest.json")).status_code == 404
    assert last_row(Action.TEAM_EXPORT_ENDED).outcome == "failed"


def test_a_killed_workers_part_is_taken_up_and_the_others_stay(
    team: None, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_parts, "MAX_PARTS_AT_ONCE", 1)
    admin.post(START)
    monkeypatch.setattr("keys.exports.preparing.team_parts.advance", lambda _: None)
    prepare_due()  # killed after the first part, before it was noted
    monkeypatch.undo()
    assert sorted(states().values()) == ["pending", "running"]

    advance_all()
    assert sorted(states().values()) == ["ready", "running"]
    prepare_due()

    assert only().state == "ready"
    assert PreparedExport.objects.filter(tries=1).count() == 2


def test_a_members_own_export_is_waited_for(team: None, admin: Client, owner: Client) -> None:
    owner.post(PREPARE)
    admin.post(START)
    assert states() == {"alice": "pending", "bob": "running"}

    prepare_due()
    advance_all()
    prepare_due()

    assert states() == {"alice": "ready", "bob": "ready"}
    assert PreparedExport.objects.filter(state="ready").count() == 3


def test_a_member_is_told_that_somebody_else_prepares_their_export(
    team: None, admin: Client, owner: Client
) -> None:
    admin.post(START)

    answer = owner.post(PREPARE, follow=True)

    assert "Somebody else is preparing an export of this account now." in words_of(answer)


def test_every_member_is_told_and_both_sides_are_audited(
    ready: TeamExport, admin: Client, alice: User, bob: User, carol: User
) -> None:
    archive_of(admin, ready)
    archive_of(admin, ready)

    for member in (alice, bob):
        message = Message.objects.filter(member=member, kind="export.by_admin").first()
        assert message is not None
        assert "The admin carol exported your data" in message.text
        rows = AuditEntry.objects.filter(on_behalf_of=member, action=Action.EXPORT_DOWNLOADED)
        assert [(row.actor_name, row.outcome) for row in rows] == [("carol", "started")] * 2
        assert AuditEntry.objects.filter(on_behalf_of=member, action="export:prepared").exists()
        assert not Message.objects.filter(member=member, kind="export.ready").exists()
    assert "2 of 2 members" in Message.objects.filter(member=carol)[0].text
    actions = [action for action, _ in audited() if action.startswith("export:team-")]
    assert actions[:2] == ["export:team-requested", "export:team-ended"]
    assert actions[2:] == ["export:team-downloaded"] * 2


@pytest.mark.parametrize("path", ["", "file/", "manifest.json", "cancel/", "retry/", "delete/"])
def test_only_admins_may(ready: TeamExport, owner: Client, bob: User, path: str) -> None:
    url = url_of(ready, path)
    for member in (owner, signed_in(bob)):
        send = member.post if path in {"cancel/", "retry/", "delete/"} else member.get
        assert send(url).status_code == 403
        assert member.post(START).status_code == 403
    assert Client().get(url)["Location"].startswith("/accounts/login/")
    assert only().state == "ready"


def test_an_admin_who_is_one_no_longer_gets_nothing(
    ready: TeamExport, admin: Client, carol: User
) -> None:
    carol.groups.clear()

    assert admin.get(url_of(ready, "file/")).status_code == 403


def test_cancelling_ends_the_parts_and_deletes_what_was_there(
    team: None, admin: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_parts, "MAX_PARTS_AT_ONCE", 1)
    admin.post(START)
    monkeypatch.setattr("keys.exports.preparing.team_parts.advance", lambda _: None)
    prepare_due()
    monkeypatch.undo()
    advance_all()
    assert len(list(folder.iterdir())) == 1

    admin.post(url_of(only(), "cancel/"))
    prepare_due()
    advance_all()

    assert only().state == "cancelled"
    assert list(folder.iterdir()) == []
    assert not PreparedExport.objects.filter(state__in=PreparedExport.UNFINISHED).exists()
    page = words_of(admin.get(url_of(only())))
    assert "Nothing was kept" in page
    assert "bob Failed: It was cancelled." in page
    again = admin.post(url_of(only(), "cancel/"), follow=True)
    assert "ended already" in words_of(again)


def test_an_admin_who_cancels_is_in_the_members_audit(
    team: None, admin: Client, alice: User
) -> None:
    admin.post(START)

    admin.post(url_of(only(), "cancel/"))

    for action in (Action.EXPORT_STOP_REQUESTED, Action.EXPORT_PREPARE_CANCELLED):
        row = AuditEntry.objects.filter(action=action, on_behalf_of=alice).get()
        assert row.actor_name == "carol"


def test_a_members_full_quota_does_not_keep_admins_from_the_data(
    team: None, admin: Client, owner: Client, settings: Any
) -> None:
    settings.EXPORT_QUOTA_GIB = 0
    assert "take all the room" in words_of(owner.post(PREPARE, follow=True))

    admin.post(START)
    prepare_due()

    assert states() == {"alice": "ready", "bob": "ready"}


def test_one_runs_at_a_time_and_a_second_start_leads_to_it(team: None, admin: Client) -> None:
    first, second = admin.post(START), admin.post(START)

    assert first["Location"] == second["Location"] == url_of(only())
    refused = admin.post(url_of(only(), "delete/"), follow=True)
    assert "still running" in words_of(refused)


def test_nobody_connected_is_told(admin: Client) -> None:
    answer = admin.post(START, follow=True)

    assert "No member is connected" in words_of(answer)
    assert not TeamExport.objects.exists()


def test_it_expires_with_its_files(
    ready: TeamExport, admin: Client, folder: Path, settings: Any
) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        PreparedExport.objects.update(due_at=timezone.now() - timedelta(days=30))
        expire_due()
        advance_all()

    assert only().state == "expired"
    assert list(folder.iterdir()) == []
    assert last_row(Action.TEAM_EXPORT_EXPIRED).detail == {"team_export": str(ready.number)}


def test_deleting_it_deletes_the_files(ready: TeamExport, admin: Client, folder: Path) -> None:
    admin.post(url_of(ready, "delete/"))

    assert not TeamExport.objects.exists()
    assert not PreparedExport.objects.exists()
    assert list(folder.iterdir()) == []


def test_a_missing_file_is_told_before_the_download(
    ready: TeamExport, admin: Client, folder: Path
) -> None:
    next(folder.iterdir()).unlink()
    url = url_of(ready, "file/")

    answer = admin.get(url, follow=True)

    assert "no archive that can be read here" in words_of(answer)
    assert admin.head(url).status_code == 302
    assert admin.get(url, headers={"Range": "bytes=0-"}).status_code == 404


def test_a_member_whose_file_has_ended_is_not_counted(
    ready: TeamExport, admin: Client, bob: User
) -> None:
    PreparedExport.objects.filter(member=bob).update(state="expired")

    page = words_of(admin.get(url_of(ready)))

    assert "The archive has 1 of 2 members" in page
    assert "Its file is not here any more" in page
    found = {entry["member"]: entry for entry in manifest_of(archive_of(admin, ready))["members"]}
    assert (found["alice"]["state"], found["bob"]["reason"]) == ("exported", "gone")


def test_a_file_that_cannot_be_unsealed_is_told_before_the_download(
    ready: TeamExport, admin: Client, settings: Any
) -> None:
    settings.TOKEN_SEALING_KEYS = ["YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="]

    answer = admin.get(url_of(ready, "file/"), follow=True)

    assert "no archive that can be read here" in words_of(answer)


def test_a_name_that_means_a_folder_stays_a_name(
    team: None, admin: Client, bob: User, node: Sandbox
) -> None:
    User.objects.filter(pk=bob.pk).update(username="../../bob\\x/y")
    admin.post(START)
    prepare_due()

    with zipfile.ZipFile(io.BytesIO(archive_of(admin, only()))) as archive:
        names = archive.namelist()
    assert not any(mark in name for name in names for mark in "/\\")


def test_the_page_asks_again_until_the_state_is_final(team: None, admin: Client) -> None:
    admin.post(START)
    part = admin.get(url_of(only()), headers=HTMX).content.decode()
    assert 'data-hx-trigger="every 2s"' in part
    assert "<html" not in part

    prepare_due()

    part = admin.get(url_of(only()), headers=HTMX).content.decode()
    assert 'data-state="ready"' in part
    assert "data-hx-trigger" not in part
    assert "The whole team" in words_of(admin.get("/exports/"))


def test_no_token_is_in_the_archive_or_on_the_page(
    ready: TeamExport, admin: Client, node: Sandbox
) -> None:
    data = archive_of(admin, ready) + admin.get(url_of(ready)).content
    tokens = {request.headers["authorization"].split()[1].encode() for request in node.requests}

    assert tokens
    assert not any(token in data for token in tokens)
