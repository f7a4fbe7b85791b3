"""Two prepared exports are compared: what appeared, vanished and changed, as counts and a list."""

from __future__ import annotations

import csv
import errno
import io
import json
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.http import urlencode

from keys.audit.vocabulary import Action
from keys.exports import comparing, differences
from keys.exports.comparing import compare_due
from keys.exports.differences import find_differences, list_of
from keys.exports.document import Malformed
from keys.exports.file_store import FolderStore
from keys.exports.preparing import delete_strays, expire_due, prepare_due
from keys.exports.sealed_files import new_file_key
from keys.jobs import workers
from keys.models import AuditEntry, ExportComparison, PreparedExport, Worker
from keys.sandbox import Sandbox
from tests.conftest import HTMX, signed_in
from tests.keys.evidence import audited, last_row, words_of
from tests.keys.exports.conftest import PREPARE

COMPARE = "/exports/compare/"


def opened(
    contents: list[dict[str, Any]], deals: list[dict[str, Any]]
) -> Callable[[], list[bytes]]:
    inner = {"Contents": contents, "Deals": deals}
    text = json.dumps({"Version": "v", "Version1": inner}, separators=(",", ":")).encode()
    return lambda: [text[at : at + 100] for at in range(0, len(text), 100)]


def content(number: int, name: str = "x") -> dict[str, Any]:
    return {"id": number, "cid": f"cid-{number}", "name": name, "size": 5}


def deal(number: int, miner: str = "f01") -> dict[str, Any]:
    return {"ID": number, "propCid": f"prop-{number}", "miner": miner, "dealId": 7}


@pytest.mark.parametrize("per_run", [1, 3, 1000])
def test_records_are_compared_whatever_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, per_run: int
) -> None:
    monkeypatch.setattr(differences, "ENTRIES_PER_RUN", per_run)
    old = opened([content(n) for n in (9, 1, 5, 3, 7)], [deal(1), deal(2)])
    new = opened(
        [content(n, "=y" if n == 5 else "x") for n in (3, 5, 1, 8, 2, 9)], [deal(2, "f02")]
    )

    found = find_differences(old, new, tmp_path, lambda: None)

    assert found.counts == {
        "content": {"appeared": 2, "vanished": 1, "changed": 1},
        "deal": {"appeared": 0, "vanished": 1, "changed": 1},
    }
    text = b"".join(list_of(found, old, new)).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["change", "kind", "id", "cid", "name", "size", "miner", "dealId"]
    assert {tuple(row[:5]) for row in rows[1:]} == {
        ("vanished", "content", "7", "cid-7", "x"),
        ("appeared", "content", "8", "cid-8", "x"),
        ("appeared", "content", "2", "cid-2", "x"),
        ("changed", "content", "5", "cid-5", "'=y"),
        ("vanished", "deal", "1", "prop-1", ""),
        ("changed", "deal", "2", "prop-2", ""),
    }
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("nothing", ["old", "new"])
def test_an_empty_export_can_be_compared(tmp_path: Path, nothing: str) -> None:
    full, empty = opened([content(1)], [deal(1)]), opened([], [])
    pair = (empty, full) if nothing == "old" else (full, empty)

    counts = find_differences(*pair, tmp_path, lambda: None).counts

    change = "appeared" if nothing == "old" else "vanished"
    assert counts["content"][change] == counts["deal"][change] == 1


@pytest.fixture
def pair(prepared: PreparedExport, owner: Client, node: Sandbox) -> dict[str, str]:
    """Alice's export, and another one after 500 contents more; none of the old ones changed."""
    account = next(user for user in node.state.users.values() if user.name == "rich")
    account.holdings = type(account.holdings)(contents=3500, deals=account.holdings.deals, rows=())
    owner.post(PREPARE)
    prepare_due()
    new = PreparedExport.objects.latest("pk")
    assert (new.state, new.content_count) == ("ready", 3500)
    return {"old": str(prepared.number), "new": str(new.number)}


def test_the_worker_compares_and_the_page_tells(
    pair: dict[str, str], owner: Client, folder: Path
) -> None:
    assert "Not compared yet" in words_of(owner.get(COMPARE, pair))
    page = owner.post(COMPARE, pair)["Location"]
    assert 'data-state="queued"' in owner.get(page).content.decode()
    assert 'data-hx-trigger="every 2s"' in owner.get(page, headers=HTMX).content.decode()

    compare_due()

    response = owner.get(page)
    assert 'data-state="done"' in response.content.decode()
    assert "data-hx-trigger" not in owner.get(page, headers=HTMX).content.decode()
    counts = ExportComparison.objects.get().counts
    assert counts["content"]["appeared"] == 500
    assert counts["content"]["vanished"] == 0
    assert "Contents 500 0" in words_of(response)
    answer: Any = owner.get(f"{COMPARE}list/", pair)
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 1 + sum(sum(found.values()) for found in counts.values())
    assert sum(line.startswith("appeared,content,") for line in lines) == 500
    assert [row for row in audited() if row[0] == "export:compared"] == [
        ("export:compared", "started"),
        ("export:compared", "done"),
    ]
    assert delete_strays() == 0
    assert len(list(folder.iterdir())) == 3


def test_it_is_compared_once(pair: dict[str, str], owner: Client, worker: Worker) -> None:
    for _ in range(2):
        owner.post(COMPARE, pair)
        compare_due()

    assert ExportComparison.objects.get().tries == 1


def test_nobody_else_compares_them(pair: dict[str, str], owner: Client, carol: User) -> None:
    owner.post(COMPARE, pair)
    compare_due()
    bob = User.objects.create_user("bob")

    for member in (bob, carol):  # Carol is an admin
        other = signed_in(member)
        assert other.get(COMPARE, pair)["Location"] == "/exports/"
        assert other.get(f"{COMPARE}list/", pair).status_code == 404
        assert other.post(COMPARE, pair)["Location"] == "/exports/"
    assert Client().get(COMPARE, pair)["Location"].startswith("/accounts/login/")


def test_what_is_no_pair_is_not_compared(pair: dict[str, str], owner: Client) -> None:
    same = pair | {"new": pair["old"]}

    assert owner.get(COMPARE).status_code == 404
    assert owner.get(COMPARE, same).status_code == 404
    assert owner.get(COMPARE, {"old": "x", "new": "y"}).status_code == 404
    assert owner.get(f"{COMPARE}list/", pair).status_code == 404
    assert "Choose two different exports" in words_of(owner.post(COMPARE, same, follow=True))


def test_a_file_that_cannot_be_read_is_told(
    pair: dict[str, str], owner: Client, folder: Path
) -> None:
    row = PreparedExport.objects.get(number=pair["old"])
    (folder / row.file_name).write_bytes(b"damaged")
    page = owner.post(COMPARE, pair)["Location"]

    compare_due()

    assert 'data-state="failed"' in owner.get(page).content.decode()
    assert "could not be compared" in words_of(owner.get(page))
    assert len(list(folder.iterdir())) == 2


def test_a_worker_that_ends_leaves_it_to_the_next_one(
    pair: dict[str, str], owner: Client, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    stopping = threading.Event()
    monkeypatch.setattr(workers, "stop_requested", stopping)
    find = differences.find_differences
    name = "keys.exports.comparing.find_differences"

    def stopped(*arguments: Any) -> Any:
        stopping.set()
        return find(*arguments)

    monkeypatch.setattr(name, stopped)
    owner.post(COMPARE, pair)
    compare_due()
    assert ExportComparison.objects.get().state == "queued"

    stopping.clear()
    monkeypatch.setattr(name, find)
    compare_due()
    assert ExportComparison.objects.get().state == "done"


def test_a_comparison_that_is_cut_short_again_and_again_fails(
    pair: dict[str, str], owner: Client
) -> None:
    owner.post(COMPARE, pair)
    ExportComparison.objects.update(tries=comparing.MAX_TRIES)

    compare_due()

    assert ExportComparison.objects.get().state == "failed"


def test_deleting_an_export_ends_its_comparisons(
    pair: dict[str, str], owner: Client, folder: Path
) -> None:
    owner.post(COMPARE, pair)
    compare_due()

    owner.post(f"/exports/{pair['old']}/delete/")

    assert not ExportComparison.objects.exists()
    assert [path.name for path in folder.iterdir()] == [PreparedExport.objects.get().file_name]


@pytest.mark.parametrize("end", ["deleted", "expired"])
def test_a_page_that_waits_for_a_comparison_leaves_when_an_export_is_gone(
    pair: dict[str, str], owner: Client, end: str
) -> None:
    owner.post(COMPARE, pair)
    assert "every 2s" in owner.get(COMPARE, pair, headers=HTMX).content.decode()
    if end == "deleted":
        owner.post(f"/exports/{pair['old']}/delete/")
        assert "Export deleted." in words_of(owner.get("/exports/"))
    else:
        PreparedExport.objects.filter(number=pair["old"]).update(expires_at=timezone.now())

    polled = owner.get(COMPARE, pair, headers=HTMX)

    assert (polled.status_code, polled["HX-Redirect"]) == (200, "/exports/")
    told = "One of these exports is not here any more: it was deleted, or its time is over."
    assert told in words_of(owner.get("/exports/"))
    reloaded = owner.get(COMPARE, pair, follow=True)
    assert reloaded.redirect_chain == [("/exports/", 302)]
    assert told in words_of(reloaded)


def test_an_export_is_deleted_although_the_list_of_its_comparison_stays(
    pair: dict[str, str], owner: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.post(COMPARE, pair)
    compare_due()
    name, delete = ExportComparison.objects.get().file_name, FolderStore.delete

    def failing_for_lists(self: FolderStore, wanted: str) -> None:
        if wanted == name:
            raise OSError(errno.EIO, "Input/output error")
        delete(self, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "delete", failing_for_lists)
        answer = owner.post(f"/exports/{pair['old']}/delete/", follow=True)

    assert "Export deleted." in words_of(answer)
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        assert delete_strays() == 1
    assert len(list(folder.iterdir())) == 1


def test_an_export_that_is_deleted_while_it_is_compared_leaves_no_list(
    pair: dict[str, str], owner: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list = comparing._write_list

    def deleted_first(*arguments: Any) -> None:
        # The worker has both files open already.
        PreparedExport.objects.filter(number=pair["old"]).delete()
        write_list(*arguments)

    owner.post(COMPARE, pair)
    monkeypatch.setattr(comparing, "_write_list", deleted_first)

    compare_due()

    assert not ExportComparison.objects.exists()
    assert not [path for path in folder.iterdir() if "-list-" in path.name]


def test_exports_whose_time_is_over_are_not_compared_although_no_worker_runs(
    pair: dict[str, str], owner: Client
) -> None:
    owner.post(COMPARE, pair)
    compare_due()
    PreparedExport.objects.filter(number=pair["new"]).update(expires_at=timezone.now())

    assert owner.get(f"{COMPARE}list/", pair).status_code == 404
    assert "not here any more" in words_of(owner.get(COMPARE, pair, follow=True))


def test_an_expired_export_ends_its_comparisons(
    pair: dict[str, str], owner: Client, folder: Path
) -> None:
    owner.post(COMPARE, pair)
    compare_due()
    old = PreparedExport.objects.filter(number=pair["old"])
    old.update(due_at=timezone.now() - timedelta(seconds=1))

    expire_due()

    assert not ExportComparison.objects.exists()
    kept = PreparedExport.objects.get(state="ready")
    assert [path.name for path in folder.iterdir()] == [kept.file_name]


@pytest.mark.parametrize(
    "record", [{"id": -1}, {"id": 2**64}, {"id": "x"}, {"id": None}, {"id": 1.5}]
)
def test_records_without_a_usable_id_cannot_be_compared(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        find_differences(opened([record], []), opened([], []), tmp_path, lambda: None)


def test_fields_of_another_kind_are_listed_as_they_are(tmp_path: Path) -> None:
    record = {"id": 1, "cid": {"/": "cid-1"}, "name": None, "size": 1.5, "miner": ["=x"]}
    old, new = opened([], []), opened([record], [])

    found = find_differences(old, new, tmp_path, lambda: None)

    text = b"".join(list_of(found, old, new)).decode()
    row = list(csv.reader(io.StringIO(text, newline="")))[1]
    assert row == ["appeared", "content", "1", '{"/":"cid-1"}', "", "1.5", '["=x"]', ""]


@pytest.mark.parametrize("made", ["appeared", "vanished", "changed"])
def test_a_value_that_a_record_does_not_have_is_empty_in_the_list(
    tmp_path: Path, made: str
) -> None:
    """Contents have no number of a deal, deals have no size; and 0 bytes are a size."""
    contents = [{"id": 1, "cid": "c", "name": "x", "size": 0}, {"id": 2, "cid": "d", "name": "y"}]
    full = opened(contents, [deal(3) | {"dealId": 0}])
    other = opened([], [])
    if made == "changed":
        changed = [record | {"name": "z"} for record in contents]
        other = opened(changed, [deal(3, "f99") | {"dealId": 0}])
    old, new = (full, other) if made == "vanished" else (other, full)

    found = find_differences(old, new, tmp_path, lambda: None)

    text = b"".join(list_of(found, old, new)).decode()
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [
        [made, "content", "1", "c", "x", "0", "", ""],
        [made, "content", "2", "d", "y", "", "", ""],
        [made, "deal", "3", "prop-3", "", "", "f01", "0"],
    ]


def test_a_comparison_that_failed_is_made_again_when_its_member_asks(
    pair: dict[str, str], owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    page = owner.post(COMPARE, pair)["Location"]
    with monkeypatch.context() as patch:
        patch.setattr(comparing, "find_differences", away)
        compare_due()
    failed = owner.get(page)
    assert 'data-state="failed"' in failed.content.decode()
    assert "Compare again" in words_of(failed)

    owner.post(COMPARE, pair)
    compare_due()

    assert 'data-state="done"' in owner.get(page).content.decode()
    outcomes = [outcome for action, outcome in audited() if action == "export:compared"]
    assert outcomes == ["started", "failed", "started", "done"]


def test_the_list_of_a_comparison_that_failed_is_deleted_although_that_failed_once(
    pair: dict[str, str], owner: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    owner.post(COMPARE, pair)
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "keep", failing)
        patch.setattr(FolderStore, "delete", failing)
        compare_due()
    assert ExportComparison.objects.get().state == "failed"
    assert len(list(folder.iterdir())) == 3
    owner.post(COMPARE, pair)
    compare_due()  # into a file of its own: the failed one may be deleted at any time

    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        assert delete_strays() == 1

    assert (folder / ExportComparison.objects.get().file_name).exists()
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("missing", "The list of this comparison cannot be read here."),
        ("damaged", "The list of this comparison cannot be read here."),
        ("sealed under a lost key", "The list of this comparison cannot be read here."),
        ("away", "The storage for exports does not answer. Try again later."),
    ],
)
def test_a_list_that_cannot_be_read_is_told_and_not_audited(
    pair: dict[str, str],
    owner: Client,
    folder: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    sentence: str,
) -> None:
    def away(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    owner.post(COMPARE, pair)
    compare_due()
    file = folder / ExportComparison.objects.get().file_name
    if fault == "missing":
        file.unlink()
    elif fault == "damaged":
        file.write_bytes(file.read_bytes()[:-1])
    elif fault == "away":
        monkeypatch.setattr(FolderStore, "open", away)
    else:
        settings.TOKEN_SEALING_KEYS = ["YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="]

    answer = owner.get(f"{COMPARE}list/", pair, follow=True)

    assert answer.redirect_chain == [(f"{COMPARE}?{urlencode(pair)}", 302)]
    assert sentence in words_of(answer)
    assert not AuditEntry.objects.filter(action=Action.EXPORT_DOWNLOADED).exists()


def test_a_comparison_that_another_worker_took_over_is_left_to_it(
    pair: dict[str, str], owner: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_over(number: str) -> Any:
        other = Worker.objects.create(host="other", pid=1)
        ExportComparison.objects.update(claims=99, claimed_by=other, file_name="of-the-other")
        return new_file_key(number)

    monkeypatch.setattr(comparing, "new_file_key", taken_over)
    owner.post(COMPARE, pair)

    compare_due()

    row = ExportComparison.objects.get()
    assert (row.state, row.tries, row.file_name) == ("queued", 0, "of-the-other")
    assert len(list(folder.iterdir())) == 2


def test_a_formatted_export_does_not_differ_from_a_compact_one(tmp_path: Path) -> None:
    """Estuary formats its answers on request; the records stay the same."""
    inner = {"Contents": [content(1), content(2)], "Deals": [deal(1)]}
    whole = {"Version": "v", "Version1": inner}
    formatted = json.dumps(whole, indent=2).encode()

    found = find_differences(
        opened(inner["Contents"], inner["Deals"]), lambda: [formatted], tmp_path, lambda: None
    )

    assert not any(sum(counts.values()) for counts in found.counts.values())


def test_taking_the_list_is_audited(pair: dict[str, str], owner: Client) -> None:
    owner.post(COMPARE, pair)
    compare_due()

    answer: Any = owner.get(f"{COMPARE}list/", pair)
    b"".join(answer.streaming_content)

    row = last_row(Action.EXPORT_DOWNLOADED)
    assert (row.actor_name, row.outcome) == ("alice", "started")
    assert row.detail == {**pair, "form": "changes.csv"}


def test_looking_for_the_list_with_head_is_no_download(
    pair: dict[str, str], owner: Client, folder: Path
) -> None:
    owner.post(COMPARE, pair)
    compare_due()

    head = owner.head(f"{COMPARE}list/", pair)

    assert head.status_code == 200
    assert head["Content-Type"] == "text/csv; charset=utf-8"
    assert "Content-Length" not in head
    assert not AuditEntry.objects.filter(action=Action.EXPORT_DOWNLOADED).exists()
    (folder / ExportComparison.objects.get().file_name).unlink()
    assert owner.head(f"{COMPARE}list/", pair).status_code == 302


def test_a_reader_of_the_list_who_takes_nothing_is_not_waited_for_without_end(
    pair: dict[str, str], owner: Client, settings: Any
) -> None:
    settings.EXPORT_IDLE = 7
    owner.post(COMPARE, pair)
    compare_due()
    server, reader = socket.socketpair()

    environment: Any = {"gunicorn.socket": server}

    with server, reader:
        answer: Any = owner.get(f"{COMPARE}list/", pair, **environment)

        assert b"".join(answer.streaming_content).startswith(b"change,kind,id")
        assert server.gettimeout() == 7
