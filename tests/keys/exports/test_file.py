"""The file of a prepared export: whole, in parts, in other forms; for its member, with a proof."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.exports.delivery import NoFile, deliver
from keys.exports.file_store import FolderStore
from keys.exports.forms_of_export import CONTENT_COLUMNS, DEAL_COLUMNS, contents_csv, ndjson
from keys.exports.preparing import prepare_due
from keys.exports.ranges import ByteRange, NotSatisfiable, wanted_range
from keys.exports.sealed_files import SealedWriter
from keys.models import AuditEntry, PreparedExport, Worker
from keys.sandbox import Sandbox
from tests.conftest import connect, signed_in
from tests.keys.evidence import last_row, words_of
from tests.keys.exports.conftest import PREPARE


@pytest.fixture
def url(prepared: PreparedExport) -> str:
    return f"/exports/{prepared.number}/file/"


@pytest.fixture
def document(prepared: PreparedExport, owner: Client, url: str) -> bytes:
    return body_of(owner.get(url))


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_the_file_is_estuarys_document(
    prepared: PreparedExport, owner: Client, url: str, document: bytes
) -> None:
    response: Any = owner.get(url, {"form": "json"})

    assert hashlib.sha256(body_of(response)).hexdigest() == prepared.sha256
    assert json.loads(document)["Version1"]["Contents"][0]["id"]
    assert response["Content-Length"] == str(len(document))
    assert response["ETag"] == f'"{prepared.sha256}"'
    assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert prepared.number.hex[:6] in response["Content-Disposition"]
    assert response["Content-Disposition"].startswith("attachment; filename=")


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [("0-0", 0, 1), ("5-9", 5, 10), ("1048570-1048590", 1048570, 1048591), ("7-", 7, None),
     ("-10", -10, None), ("100-99999999999", 100, None), ("-99999999999", 0, None)],
)  # fmt: skip
def test_a_part_is_delivered(
    owner: Client, url: str, document: bytes, header: str, start: int, end: int | None
) -> None:
    response = owner.get(url, headers={"Range": f"bytes={header}"})

    part = document[start:end]
    assert response.status_code == 206
    assert body_of(response) == part
    assert response["Content-Length"] == str(len(part))
    first = start % len(document)
    last = first + len(part) - 1
    assert response["Content-Range"] == f"bytes {first}-{last}/{len(document)}"


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=9-3", "x"])
def test_what_is_no_single_range_gets_the_whole_file(
    owner: Client, url: str, document: bytes, header: str
) -> None:
    response = owner.get(url, headers={"Range": header})

    assert response.status_code == 200
    assert body_of(response) == document


def test_a_range_behind_the_end_is_refused(owner: Client, url: str, document: bytes) -> None:
    for header in (f"bytes={len(document)}-", "bytes=-0"):
        response = owner.get(url, headers={"Range": header})

        assert response.status_code == 416
        assert response["Content-Range"] == f"bytes */{len(document)}"


def test_a_part_of_another_version_is_not_mixed_in(
    owner: Client, url: str, document: bytes, prepared: PreparedExport
) -> None:
    def status(if_range: str) -> int:
        response: Any = owner.get(url, headers={"Range": "bytes=5-9", "If-Range": if_range})
        assert len(body_of(response)) == (5 if response.status_code == 206 else len(document))
        return int(response.status_code)

    assert status(f'"{prepared.sha256}"') == 206
    assert status('"another"') == 200
    assert status(f'W/"{prepared.sha256}"') == 200
    assert status("Sat, 28 Nov 2026 10:00:00 GMT") == 200


def test_ranges_of_an_empty_file() -> None:
    assert wanted_range("", "", 0, "") == ByteRange(0, 0, is_part=False)
    for header in ("bytes=0-", "bytes=-5"):
        with pytest.raises(NotSatisfiable):
            wanted_range(header, "", 0, "")


def test_a_head_request_tells_the_length(owner: Client, url: str, document: bytes) -> None:
    response = owner.head(url)

    assert response["Content-Length"] == str(len(document))
    assert response.content == b""


@pytest.mark.parametrize(
    "fault", ["missing", "damaged", "sealed under a lost key", "away", "failing disk"]
)
def test_a_head_request_says_what_a_download_would(
    prepared: PreparedExport,
    owner: Client,
    url: str,
    folder: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    def away(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    file = folder / prepared.file_name
    if fault == "missing":
        file.unlink()
    elif fault == "damaged":
        file.write_bytes(file.read_bytes()[:-1])
    elif fault == "away":
        monkeypatch.setattr(FolderStore, "open", away)
    elif fault == "failing disk":
        monkeypatch.setattr(os, "pread", away)
    else:
        settings.TOKEN_SEALING_KEYS = ["YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="]

    is_away = fault in {"away", "failing disk"}
    for headers, status in (({}, 302), ({"Range": "bytes=5-"}, 503 if is_away else 404)):
        assert owner.head(url, headers=headers).status_code == status
        assert owner.get(url, headers=headers).status_code == status
    assert not AuditEntry.objects.filter(action=Action.EXPORT_DOWNLOADED).exists()


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_an_export_without_a_file_is_handed_out_by_nobody(
    prepared: PreparedExport, alice: User, state: str
) -> None:
    prepared.state = state

    with pytest.raises(NoFile):
        deliver(Actor.for_job("test", alice), prepared, "json")


def test_a_file_that_is_closed_twice_does_not_close_another_one(folder: Path) -> None:
    """The number of its descriptor may be in use again."""
    store = FolderStore(folder)
    file = store.create("one")
    file.write(b"x")
    store.keep(file)
    first = store.open("one")
    first.close()
    with store.open("one") as second:
        first.close()

        assert second.read(0, 1) == b"x"


def test_a_head_request_is_never_about_a_part(owner: Client, url: str, document: bytes) -> None:
    response = owner.head(url, headers={"Range": "bytes=5-9"})

    assert response.status_code == 200
    assert response["Content-Length"] == str(len(document))
    assert "Content-Range" not in response
    assert owner.head(url, headers={"Range": f"bytes={len(document)}-"}).status_code == 200


def test_a_head_request_for_another_form_tells_no_length(owner: Client, url: str) -> None:
    assert "Content-Length" not in owner.head(url, {"form": "ndjson"})


def test_conditions_of_a_request_are_kept(
    prepared: PreparedExport, owner: Client, url: str, document: bytes
) -> None:
    """Firefox resumes with If-Match."""
    etag = f'"{prepared.sha256}"'

    def status(**headers: str) -> int:
        answer: Any = owner.get(url, headers={"Range": "bytes=5-9", **headers})
        if answer.streaming:
            body_of(answer)
        return int(answer.status_code)

    assert status(if_match=etag) == status(if_match="*") == 206
    assert status(if_match='"another"') == 412
    assert status(if_none_match=etag) == 304
    assert status(if_none_match='"another"') == 206
    assert status(if_none_match=f'"another", W/{etag}') == status(if_none_match="*") == 304
    assert status(if_match=f'"another", {etag}') == 206
    assert status(if_match=f"W/{etag}") == 412
    # The file has no date: conditions about one are none.
    date = "Sat, 28 Nov 1990 10:00:00 GMT"
    assert status(if_unmodified_since=date) == status(if_modified_since=date) == 206
    assert status(if_none_match='"another"', if_unmodified_since=date) == 206
    assert status(if_none_match=etag, if_unmodified_since=date) == 304
    assert status(if_match=etag, if_unmodified_since=date) == 206


def test_an_answer_without_the_file_names_the_version_that_is_known(
    prepared: PreparedExport, owner: Client, url: str
) -> None:
    etag = f'"{prepared.sha256}"'

    answer = owner.get(url, headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == etag
    assert answer["Cache-Control"] == owner.head(url)["Cache-Control"]


def test_a_program_that_resumes_gets_no_page_instead_of_a_file(
    prepared: PreparedExport, owner: Client, url: str
) -> None:
    PreparedExport.objects.update(expires_at=timezone.now())

    answer = owner.get(url, headers={"Range": "bytes=5-"})

    assert answer.status_code == 404
    assert answer["Content-Type"] == "text/plain"
    assert answer.content == b"This export has no file.\n"


def test_a_shorter_document_is_noticed_without_a_seal(
    owner: Client, worker: Worker, settings: Any, folder: Path
) -> None:
    settings.EXPORT_SEALED = False
    owner.post(PREPARE)
    prepare_due()
    row = PreparedExport.objects.get()
    with (folder / row.file_name).open("wb") as file:
        writer = SealedWriter(file, None)
        writer.write(b"{}")
        writer.finish()

    answer = owner.get(f"/exports/{row.number}/file/", follow=True)

    assert "cannot be read here" in words_of(answer)


@pytest.mark.parametrize("path", ["file/", "manifest.json"])
def test_nobody_else_gets_it(prepared: PreparedExport, carol: User, path: str) -> None:
    bob = User.objects.create_user("bob")
    url = f"/exports/{prepared.number}/{path}"

    for member in (bob, carol):  # Carol is an admin
        assert signed_in(member).get(url).status_code == 404
    assert Client().get(url)["Location"].startswith("/accounts/login/")


def test_it_needs_a_fresh_proof_which_holds_for_what_is_resumed(
    owner: Client, url: str, document: bytes
) -> None:
    def forget() -> None:
        session = owner.session
        session.pop("proved_at", None)
        session.save()

    forget()
    for headers in ({}, {"Range": "bytes=0-"}):
        answer = owner.get(url, headers=headers)
        # `document` was downloaded in this session: it may be resumed, but not begun again.
        assert answer.status_code == (206 if headers else 302)
        if headers:
            body_of(answer)
        else:
            assert answer["Location"].startswith("/accounts/reauthenticate/")
    fresh = signed_in(User.objects.get(username="alice"))
    session = fresh.session
    session.pop("proved_at", None)
    session.save()
    assert fresh.get(url, headers={"Range": "bytes=5-"}).status_code == 302


def test_a_range_that_is_none_and_another_form_need_a_fresh_proof(
    owner: Client, url: str, document: bytes
) -> None:
    session = owner.session
    session.pop("proved_at", None)
    session.save()

    assert owner.get(url, headers={"Range": "x"}).status_code == 302
    for form in ("ndjson", "contents.csv"):
        answer = owner.get(url, {"form": form}, headers={"Range": "bytes=5-"})
        assert answer["Location"].startswith("/accounts/reauthenticate/")
    goes_on = owner.get(url, {"form": "json"}, headers={"Range": "bytes=5-"})
    assert body_of(goes_on) == document[5:]


def test_every_download_is_audited_as_begun(owner: Client, url: str, document: bytes) -> None:
    body_of(owner.get(url))
    body_of(owner.get(url, headers={"Range": "bytes=0-9"}))
    owner.head(url)

    rows = AuditEntry.objects.filter(action=Action.EXPORT_DOWNLOADED)
    # How much of it the reader took, the console does not know.
    assert [row.outcome for row in rows] == ["started"] * 3


def test_a_download_is_audited_once_however_often_it_is_resumed(
    owner: Client, url: str, document: bytes
) -> None:
    body_of(owner.get(url, headers={"Range": "bytes=100-"}))
    body_of(owner.get(url, {"form": "ndjson"}))

    rows = AuditEntry.objects.filter(action=Action.EXPORT_DOWNLOADED).order_by("pk")
    assert [row.detail["form"] for row in rows] == ["json", "ndjson"]
    assert last_row(Action.EXPORT_DOWNLOADED).actor_name == "alice"


def test_many_download_at_once(owner: Client, url: str, document: bytes) -> None:
    open_ones: list[Any] = [owner.get(url) for _ in range(5)]
    parts = [iter(response.streaming_content) for response in open_ones]

    for _ in range(3):
        assert len({next(part) for part in parts}) == 1
    assert len({hashlib.sha256(b"".join(part)).hexdigest() for part in parts}) == 1


def test_an_unknown_form_is_not_found(owner: Client, url: str) -> None:
    assert owner.get(url, {"form": "xml"}).status_code == 404


def test_a_missing_file_is_told(
    prepared: PreparedExport, owner: Client, url: str, folder: Path
) -> None:
    (folder / prepared.file_name).write_bytes(b"something else")
    assert "cannot be read here" in words_of(owner.get(url, follow=True))

    (folder / prepared.file_name).unlink()
    assert "cannot be read here" in words_of(owner.get(url, follow=True))


def test_an_expired_export_has_no_file_but_a_manifest(
    prepared: PreparedExport, owner: Client, url: str
) -> None:
    PreparedExport.objects.update(state="expired")

    assert "has no file" in words_of(owner.get(url, follow=True))
    assert owner.get(f"/exports/{prepared.number}/manifest.json").status_code == 200
    PreparedExport.objects.update(state="failed")
    assert owner.get(f"/exports/{prepared.number}/manifest.json").status_code == 404


def test_a_file_whose_time_is_over_is_not_handed_out_although_no_worker_runs(
    prepared: PreparedExport, owner: Client, url: str
) -> None:
    PreparedExport.objects.update(expires_at=timezone.now())

    page = owner.get(url, follow=True)
    assert "has no file" in words_of(page)
    assert "Its time is over" in words_of(page)
    assert "NDJSON" not in words_of(page)
    assert owner.head(url).status_code == 302


def test_the_name_of_a_file_is_one_for_every_program(
    prepared: PreparedExport, owner: Client, url: str
) -> None:
    User.objects.update(username="a/b\\c d")

    assert 'filename="estuary-export-a_b_c_d-' in owner.head(url)["Content-Disposition"]


def test_the_manifest_says_what_the_file_is(
    prepared: PreparedExport, owner: Client, document: bytes
) -> None:
    found = json.loads(owner.get(f"/exports/{prepared.number}/manifest.json").content)

    assert found["file"]["sha256"] == hashlib.sha256(document).hexdigest()
    assert found["file"]["bytes"] == len(document)
    assert (found["contents"], found["member"], found["node"]) == (3000, "alice", prepared.node)
    assert found["document"]["version"] == "v0.0.1"
    assert found["console_version"]


def test_the_pages_line_is_one_for_sha256sum(
    prepared: PreparedExport, owner: Client, url: str, document: bytes, tmp_path: Path
) -> None:
    page = owner.get(f"/exports/{prepared.number}/").content.decode()
    line = page.split('id="checksum" class="hash checksum">')[1].split("<")[0]
    name = owner.head(url)["Content-Disposition"].split('"')[1]
    (tmp_path / name).write_bytes(document)

    done = subprocess.run(
        ["sha256sum", "-c"], input=line, text=True, cwd=tmp_path, capture_output=True, check=False
    )

    assert done.stdout == f"{name}: OK\n"


def test_ndjson_has_a_line_for_each_record(owner: Client, url: str, document: bytes) -> None:
    response: Any = owner.get(url, {"form": "ndjson"})

    lines = [json.loads(line) for line in body_of(response).splitlines()]
    whole = json.loads(document)["Version1"]
    kept = {"content": [], "deal": []}  # type: dict[str, list[Any]]
    for line in lines:
        kept[line["kind"]].append(line["record"])
    assert kept == {"content": whole["Contents"], "deal": whole["Deals"]}
    assert response["Accept-Ranges"] == "none"
    assert "Content-Length" not in response


@pytest.mark.parametrize(
    ("form", "array", "columns"),
    [("contents.csv", "Contents", CONTENT_COLUMNS), ("deals.csv", "Deals", DEAL_COLUMNS)],
)
def test_csv_has_every_field_of_every_record(
    owner: Client, url: str, document: bytes, form: str, array: str, columns: list[str]
) -> None:
    response: Any = owner.get(url, {"form": form})
    text = body_of(response).decode()

    rows = list(csv.reader(io.StringIO(text, newline="")))
    records = json.loads(document)["Version1"][array]
    assert rows[0] == columns == list(records[0])
    assert rows[1:] == [[_as_text(record[name]) for name in columns] for record in records]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert text.count("\r\n") == len(records) + 1
    assert f"-{form}" in response["Content-Disposition"]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_csv_of_older_nodes_has_the_same_columns(
    alice: User, worker: Worker, folder: Path, settings: Any, generation: str
) -> None:
    with Sandbox(generation=generation, rate_limit=None) as old:
        settings.ESTUARY_API_URL = settings.ESTUARY_API_URL._replace(netloc=old.url.split("/")[2])
        connect(alice, old.add_key(old.add_user("rich", contents=5)))
        browser = signed_in(alice)
        browser.post(PREPARE)
        prepare_due()

    url = f"/exports/{PreparedExport.objects.get().number}/file/"
    rows = list(
        csv.reader(body_of(browser.get(url, {"form": "contents.csv"})).decode().split("\n"))
    )
    assert rows[0] == CONTENT_COLUMNS
    assert rows[1][rows[0].index("pinningStatus")] == ""
    assert rows[1][rows[0].index("cid")]


def test_csv_is_safe_for_spreadsheets_and_quoted_as_rfc_4180_says() -> None:
    names = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\uff1d1", "\uff0b1", "\uff0d1"]
    names += ["\uff20x", "\ufe631", " =1+1", "\u00a0\u3000+1", "\ufeff=1", "\u200b@x", "\v-1"]
    unsafe = len(names)
    names += ["1+1", "a=b", " x", "", "\u200b", "'=1"]
    names += ['say "hi", now', "two\nlines", "plain"]
    contents = [{"id": -5, "name": name} for name in names]
    whole = {"Version": "v", "Version1": {"Contents": contents, "Deals": []}}

    text = b"".join(contents_csv([json.dumps(whole).encode()])).decode()

    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    place = CONTENT_COLUMNS.index("name")
    assert [row[place] for row in rows] == [f"'{name}" for name in names[:unsafe]] + names[unsafe:]
    assert {row[0] for row in rows} == {"-5"}  # a number is no formula
    assert '"say ""hi"", now"' in text


def test_ndjson_of_a_formatted_answer_has_one_line_for_each_record() -> None:
    whole = {"Version": "v", "Version1": {"Contents": [{"id": 1}, {"id": 2}], "Deals": []}}

    text = json.dumps(whole, indent=4)
    made = b"".join(ndjson([text.encode()]))

    assert made == b"".join(ndjson([text.replace("\n", "\r").encode()]))
    assert made == b'{"kind":"content","record":{"id":1}}\n{"kind":"content","record":{"id":2}}\n'
