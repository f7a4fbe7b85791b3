"""Prepared exports in an S3-compatible store: moto's server, over real HTTP."""

from __future__ import annotations

import hashlib
import http.server
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from estuary_admin.storage.export_storage import Bucket
from keys import doctor
from keys.actors import Actor
from keys.exports.delivery import DeliveryBroken, deliver
from keys.exports.file_store import _bucket_store, file_store
from keys.exports.preparing import delete_strays, expire_due, prepare_due
from keys.exports.s3_store import S3Store
from keys.exports.sealed_files import SealedReader, SealedWriter
from keys.models import PreparedExport, Worker
from tests.estuary_admin.test_settings import settings_of
from tests.keys.evidence import words_of
from tests.keys.exports.conftest import PREPARE
from tests.support.processes import ending_with_parent

SECRET = "a-secret-of-the-store-4711"
MIB = 2**20


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    server = subprocess.Popen(
        ending_with_parent(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            requests.get(url, timeout=5).close()
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("moto's server does not start.")


@pytest.fixture
def closing() -> Iterator[Callable[[Bucket], S3Store]]:
    """Makes stores, and closes their connections when the test ends."""
    made: list[S3Store] = []

    def make(bucket: Bucket) -> S3Store:
        made.append(S3Store(bucket))
        return made[-1]

    yield make
    for store in made:
        store.client.close()


@pytest.fixture
def store(
    s3_url: str,
    settings: Any,
    closing: Callable[[Bucket], S3Store],
    monkeypatch: pytest.MonkeyPatch,
) -> S3Store:
    bucket = Bucket("console-exports", "estuary/admin", s3_url, "us-east-1", "AKIATEST", SECRET)
    requests.post(f"{s3_url}/moto-api/reset", timeout=60).raise_for_status()
    made = closing(bucket)
    made.client.create_bucket(Bucket=bucket.name)
    settings.EXPORT_STORAGE = bucket
    monkeypatch.setattr("keys.exports.file_store._bucket_store", lambda _: made)
    return made


@pytest.fixture
def in_s3(owner: Client, store: S3Store, worker: Worker) -> PreparedExport:
    """An export of Alice's that is ready, in the bucket."""
    owner.post(PREPARE)
    prepare_due()
    row = PreparedExport.objects.get()
    assert row.state == "ready"
    return row


def keys_in(store: S3Store) -> list[str]:
    found = store.client.list_objects_v2(Bucket="console-exports").get("Contents", [])
    return [entry["Key"] for entry in found]


def uploads_in(store: S3Store) -> list[str]:
    found = store.client.list_multipart_uploads(Bucket="console-exports").get("Uploads", [])
    return [entry["Key"] for entry in found]


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_an_export_is_kept_sealed_in_the_bucket(
    in_s3: PreparedExport, owner: Client, store: S3Store
) -> None:
    assert keys_in(store) == [f"estuary/admin/{in_s3.file_name}"]
    assert uploads_in(store) == []
    whole = body_of(owner.get(f"/exports/{in_s3.number}/file/"))
    assert hashlib.sha256(whole).hexdigest() == in_s3.sha256
    answer = store.client.get_object(Bucket="console-exports", Key=keys_in(store)[0])
    stored = answer["Body"].read()
    assert len(stored) == in_s3.stored_size < len(whole)
    assert whole[:30] not in stored


@pytest.mark.parametrize("start", [0, 1, 1_048_575, 1_048_576, 1_048_577, 2_000_001])
def test_a_download_resumes_at_any_byte(in_s3: PreparedExport, owner: Client, start: int) -> None:
    url = f"/exports/{in_s3.number}/file/"
    whole = body_of(owner.get(url))

    response: Any = owner.get(url, headers={"Range": f"bytes={start}-"})

    assert response.status_code == 206
    assert body_of(response) == whole[start:]


def test_other_forms_and_deletion_work_from_the_bucket(
    in_s3: PreparedExport, owner: Client, store: S3Store
) -> None:
    text = body_of(owner.get(f"/exports/{in_s3.number}/file/", {"form": "contents.csv"}))
    assert text.count(b"\r\n") == 3001

    owner.post(f"/exports/{in_s3.number}/delete/")

    assert keys_in(store) == []
    assert not PreparedExport.objects.exists()


def test_an_expired_export_is_deleted_from_the_bucket(
    in_s3: PreparedExport, store: S3Store
) -> None:
    PreparedExport.objects.update(due_at=timezone.now())

    expire_due()

    assert PreparedExport.objects.get().state == "expired"
    assert keys_in(store) == []


def test_a_cancelled_try_leaves_nothing_in_the_bucket(
    owner: Client, worker: Worker, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = SealedWriter.write

    def write_and_cancel(self: SealedWriter, data: bytes) -> None:
        written(self, data)
        if self.stored_size:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(SealedWriter, "write", write_and_cancel)
    owner.post(PREPARE)

    prepare_due()

    assert PreparedExport.objects.get().reason == "disk-full"
    assert (keys_in(store), uploads_in(store)) == ([], [])


def test_parts_that_a_killed_worker_left_are_deleted(store: S3Store, db: None) -> None:
    name = "0123456789abcdef0123456789abcdef-1"
    left = store.create(name)
    left.write(b"x" * 10)
    left._file.file.close()  # all that a kill leaves is in the store
    store.client.put_object(Bucket="console-exports", Key="estuary/admin/of-others", Body=b"x")
    store.client.put_object(Bucket="console-exports", Key=f"elsewhere/{name}", Body=b"x")
    store.client.put_object(Bucket="console-exports", Key=f"estuary/admin/{name[:-1]}2", Body=b"x")
    assert uploads_in(store) == [f"estuary/admin/{name}"]
    assert delete_strays() == 1  # moto says that all uploads are of 2010

    with time_machine.travel(time.time() + 7200, tick=False):
        assert delete_strays() == 1

    assert uploads_in(store) == []
    assert keys_in(store) == [f"elsewhere/{name}", "estuary/admin/of-others"]


def test_memory_does_not_grow_with_the_file(store: S3Store) -> None:
    """Random bytes, which do not shrink: what is sent is as large as what is written."""
    piece = bytes(hashlib.shake_256(b"x").digest(MIB))
    tracemalloc.start()
    try:
        file = store.create("large")
        writer = SealedWriter(file, b"k" * 32)
        for _ in range(64):
            writer.write(piece)
        writer.finish()
        store.keep(file)
        file.close()
        with store.open("large") as found:
            size = sum(map(len, SealedReader(found, b"k" * 32).pieces()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert size == 64 * MIB
    assert peak < 32 * MIB


def test_a_broken_connection_is_made_again_at_the_same_byte(store: S3Store) -> None:
    store.client.put_object(
        Bucket="console-exports", Key="estuary/admin/one", Body=bytes(range(256)) * 8192
    )
    with store.open("one") as file:
        assert file.read(0, 256) == bytes(range(256))
        file._body._raw_stream.close()  # what a store does to a slow reader
        assert file.read(256, 256) == bytes(range(256))
        assert file.read(100, 3) == bytes([100, 101, 102])


class _Refusing(http.server.BaseHTTPRequestHandler):
    """Answers every request with one error of S3."""

    status, code = 403, "AccessDenied"

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = f"<Error><Code>{self.code}</Code><Message>{SECRET}</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _refuse  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def refuse(
    settings: Any, closing: Callable[[Bucket], S3Store], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int, str], None]]:
    """Have the store answer everything with this status and code."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    bucket = Bucket(
        "console-exports", "", f"http://127.0.0.1:{server.server_port}", "us-east-1", "AKIA", SECRET
    )
    made = closing(bucket)

    def start(status: int, code: str) -> None:
        monkeypatch.setattr(_Refusing, "status", status)
        monkeypatch.setattr(_Refusing, "code", code)
        settings.EXPORT_STORAGE = bucket
        monkeypatch.setattr("keys.exports.file_store._bucket_store", lambda _: made)

    yield start
    made.client.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "code", "reason", "sentence"),
    [
        (403, "AccessDenied", "storage", "The file could not be written."),
        (404, "NoSuchBucket", "storage", "The file could not be written."),
        (507, "Full", "disk-full", "no room left"),
        (400, "QuotaExceeded", "disk-full", "no room left"),
    ],
)
def test_a_store_that_refuses_is_told_and_its_secret_is_not_logged(
    owner: Client,
    worker: Worker,
    refuse: Callable[[int, str], None],
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str,
    reason: str,
    sentence: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.WARNING)  # as the settings say
    refuse(status, code)
    owner.post(PREPARE)

    prepare_due()

    row = PreparedExport.objects.get()
    assert (row.state, row.reason) == ("failed", reason)
    assert sentence in words_of(owner.get(f"/exports/{row.number}/"))
    assert f"the store answered {code}" in str([vars(record) for record in caplog.records])
    assert SECRET not in str([vars(record) for record in caplog.records])


def test_a_store_that_is_away_is_told_while_downloading(
    in_s3: PreparedExport, owner: Client, refuse: Callable[[int, str], None]
) -> None:
    refuse(503, "SlowDown")
    url = f"/exports/{in_s3.number}/file/"

    assert "storage for exports does not answer" in words_of(owner.get(url, follow=True))
    owner.session["proved_exports"] = [str(in_s3.number)]
    resumed = owner.get(url, headers={"Range": "bytes=5-"})
    assert (resumed.status_code, resumed["Retry-After"]) == (503, "30")
    deleted = owner.post(f"/exports/{in_s3.number}/delete/", follow=True)
    assert "nothing was deleted" in words_of(deleted)
    assert PreparedExport.objects.get().state == "ready"
    assert delete_strays() == 0


def test_a_file_that_is_gone_from_the_bucket_is_told(
    in_s3: PreparedExport, owner: Client, store: S3Store
) -> None:
    store.delete(in_s3.file_name)

    page = owner.get(f"/exports/{in_s3.number}/file/", follow=True)

    assert "cannot be read here" in words_of(page)


def test_a_store_that_fails_in_the_middle_breaks_the_connection(
    in_s3: PreparedExport, store: S3Store
) -> None:
    """The reader sees a cut download, never a short one that looks whole."""
    delivery = deliver(Actor(in_s3.member, "", ""), in_s3, "json")
    chunks = iter(delivery)
    next(chunks)
    store.delete(in_s3.file_name)
    delivery.close()  # the store hangs up

    with pytest.raises(DeliveryBroken):
        b"".join(chunks)


def test_the_doctor_tries_the_store(
    store: S3Store, refuse: Callable[[int, str], None], settings: Any
) -> None:
    [fine] = doctor.export_storage()
    assert fine.ok
    assert fine.line == "EXPORT_STORAGE s3://console-exports/estuary/admin can be written and read."
    assert keys_in(store) == []

    refuse(403, "InvalidAccessKeyId")
    [refused] = doctor.export_storage()

    assert not refused.ok
    assert "cannot be used: the store answered InvalidAccessKeyId." in refused.line
    assert SECRET not in refused.line + refused.fix


def test_the_doctor_tells_an_unreachable_store(
    settings: Any, closing: Callable[[Bucket], S3Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket("console-exports", "", "http://127.0.0.1:9", "", "AKIA", SECRET)
    settings.EXPORT_STORAGE = bucket
    made = closing(bucket)
    monkeypatch.setattr("keys.exports.file_store._bucket_store", lambda _: made)

    [check] = doctor.export_storage()

    assert not check.ok
    assert "the store could not be reached (EndpointConnectionError)" in check.line


def test_the_doctor_tries_a_folder(folder: Any) -> None:
    [check] = doctor.export_storage()

    assert check.ok
    assert list(folder.iterdir()) == []


def test_half_of_the_credentials_stops_the_start_without_repeating_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ImproperlyConfigured, match="EXPORT_STORAGE_ACCESS_KEY") as raised:
        settings_of(monkeypatch, EXPORT_STORAGE="s3://bucket/x", EXPORT_STORAGE_SECRET_KEY=SECRET)
    assert SECRET not in str(raised.value)


def test_the_secret_is_in_no_representation() -> None:
    bucket = Bucket("name", "", "", "", "AKIA", SECRET)

    assert SECRET not in f"{bucket!r} {bucket}"


def test_without_a_bucket_nothing_of_boto3_is_imported() -> None:
    code = (
        "import django, sys; django.setup();"
        "import keys.urls, keys.exports.preparing, keys.doctor;"
        "from keys.exports.file_store import file_store; file_store();"
        "print([name for name in sys.modules if name.startswith(('boto', 'storages'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment()
    )
    assert done.stdout.strip() == "[]"


def _environment() -> dict[str, str]:
    return os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}


def test_the_bucket_of_the_settings_is_used_with_one_set_of_connections(settings: Any) -> None:
    settings.EXPORT_STORAGE = Bucket("of-settings", "", "http://127.0.0.1:9", "", "AKIA", SECRET)

    store: Any = file_store()

    try:
        assert isinstance(store, S3Store)
        assert file_store() is store
    finally:
        store.client.close()
        _bucket_store.cache_clear()
