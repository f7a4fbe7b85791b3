"""Prepared exports in a bucket of an S3-compatible store, for several machines.

django-storages configures the connection and writes: a file goes there in parts while it is made,
and exists only after `keep`. Its reader would load a whole file into memory, so reading is done
here: one request from the wanted byte on, read as a stream.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from estuary_admin.storage.export_storage import Bucket

CONNECT_SECONDS = 5
READ_SECONDS = 20
MAX_ATTEMPTS = 2
#: One is busy for each download that is running.
MAX_IDLE_CONNECTIONS = 32
STORAGE_FULL_CODES = {"QuotaExceeded", "StorageFull", "InsufficientStorage", "XMinioStorageFull"}
MISSING = {"404", "NoSuchKey", "NotFound"}
INSUFFICIENT_STORAGE = 507


class S3Store:
    """A bucket, or a part of one. All methods raise OSError."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @cached_property
    def storage(self) -> S3Storage:
        where = self._bucket
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "max_attempts": MAX_ATTEMPTS},
            max_pool_connections=MAX_IDLE_CONNECTIONS,
            s3={"addressing_style": "path" if where.endpoint else "auto"},
            # Not every store knows them, and each file is read back and compared anyway.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return S3Storage(
            bucket_name=where.name,
            location=where.prefix,
            endpoint_url=where.endpoint or None,
            region_name=where.region or None,
            access_key=where.access_key or None,
            secret_key=where.secret_key or None,
            client_config=config,
        )

    @cached_property
    def client(self) -> Any:
        """One for all threads, which boto3 permits."""
        return self.storage.connection.meta.client

    @property
    def _start(self) -> str:
        return f"{self._bucket.prefix}/" if self._bucket.prefix else ""

    def create(self, name: str) -> NewObject:
        with store_errors():
            return NewObject(self, name)

    def keep(self, file: NewObject) -> None:
        file.complete()

    def open(self, name: str) -> RemoteFile:
        with store_errors():
            return RemoteFile(self.client, self._bucket.name, self._start + name)

    def delete(self, name: str) -> None:
        """Delete a file and the parts of one that was never completed."""
        self.abort(name)
        with store_errors():
            self.storage.delete(name)

    def abort(self, name: str) -> None:
        with store_errors():
            for upload in self._uploads(self._start + name):
                where = {"Bucket": self._bucket.name, "Key": upload["Key"]}
                self.client.abort_multipart_upload(**where, UploadId=upload["UploadId"])

    def names(self) -> Iterator[tuple[str, float]]:
        """All files, those that were never completed included."""
        with store_errors():
            found = self.client.get_paginator("list_objects_v2")
            where = {"Bucket": self._bucket.name, "Prefix": self._start, "Delimiter": "/"}
            for page in found.paginate(**where):
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self._start), entry["LastModified"].timestamp()
            for upload in self._uploads(self._start):
                yield upload["Key"].removeprefix(self._start), upload["Initiated"].timestamp()

    def _uploads(self, prefix: str) -> Iterator[dict[str, Any]]:
        found = self.client.get_paginator("list_multipart_uploads")
        for page in found.paginate(Bucket=self._bucket.name, Prefix=prefix):
            yield from page.get("Uploads", ())

    def free_bytes(self) -> None:
        return None


class NewObject:
    """A file that is being written: the store keeps it when it is complete."""

    def __init__(self, store: S3Store, name: str) -> None:
        self._store = store
        self._name = name
        self._file = store.storage.open(name, "wb")
        self._is_complete = False

    def write(self, data: bytes) -> None:
        with store_errors():
            self._file.write(data)

    def complete(self) -> None:
        with store_errors():
            self._file.close()
        self._is_complete = True

    def close(self) -> None:
        """Drop what was written, unless it is complete."""
        self._file.file.close()  # the part in memory: closing the file itself would complete it
        if not self._is_complete:
            self._store.abort(self._name)


class RemoteFile:
    """A file that is read in order, or from any byte on."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self.size: int = client.head_object(**self._where)["ContentLength"]
        self._body: Any = None
        self._at = 0

    def read(self, start: int, length: int) -> bytes:
        data = b""
        if self._body is not None and start == self._at:
            # A store hangs up on a reader that is slow: it is asked again, from this byte on.
            with contextlib.suppress(BotoCoreError):
                data = self._body.read(length)
        if len(data) < length:
            with store_errors():
                self._ask(start + len(data))
                data += self._body.read(length - len(data))
        self._at = start + len(data)
        return data

    def _ask(self, start: int) -> None:
        self.close()
        self._body = self._client.get_object(**self._where, Range=f"bytes={start}-")["Body"]

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Raise OSError with the store's own code, and nothing else of its answer."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "?"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        number = errno.EIO
        if code in MISSING:
            number = errno.ENOENT
        elif code in STORAGE_FULL_CODES or status == INSUFFICIENT_STORAGE:
            number = errno.ENOSPC
        raise OSError(number, f"the store answered {code}") from None
    except BotoCoreError as error:
        sentence = f"the store could not be reached ({type(error).__name__})"
        raise OSError(errno.EIO, sentence) from None
