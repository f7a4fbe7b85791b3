"""Where prepared exports are kept: a folder that only the console's user may enter, or S3."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from django.conf import settings

from estuary_admin.storage.export_storage import Bucket
from keys.exports.sealed_files import Sink, Source

logger = logging.getLogger("estuary_admin.keys")

#: The names that the console gives its files: other files in the same place are not its own.
OWN_NAME = re.compile(r"[0-9a-f]{32}-(list-)?\d{1,5}|[0-9a-f]{32}-doctor")


class OpenFile(Source, Protocol):
    """A file that is being read; close it in any case."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class NewFile(Sink, Protocol):
    """A file that is being written; close it in any case."""

    def close(self) -> None: ...


class FileStore(Protocol):
    """Files by name. All methods raise OSError."""

    def create(self, name: str) -> NewFile:
        """A new file to write; a name is used once."""

    def keep(self, file: Any) -> None:
        """Close a written file so that it outlives a power cut."""

    def open(self, name: str) -> OpenFile: ...

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""

    def names(self) -> Iterator[tuple[str, float]]:
        """All files, with the time at which each was last written."""

    def free_bytes(self) -> int | None:
        """How much room is left; None when nobody can tell."""


class FolderStore:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str) -> BinaryIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        return os.fdopen(os.open(self._folder / name, flags, 0o600), "wb")

    def keep(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()

    def open(self, name: str) -> OpenFile:
        return _LocalFile(self._folder / name)

    def delete(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)

    def names(self) -> Iterator[tuple[str, float]]:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                yield path.name, path.stat().st_mtime

    def free_bytes(self) -> int | None:
        folder = self._folder
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free


class _LocalFile:
    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size

    def read(self, start: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, start)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def file_store() -> FileStore:
    """The store that EXPORT_STORAGE names."""
    place = settings.EXPORT_STORAGE
    return _bucket_store(place) if isinstance(place, Bucket) else FolderStore(place)


@cache  # it holds connections
def _bucket_store(bucket: Bucket) -> FileStore:
    from keys.exports.s3_store import S3Store  # boto3 is large: only for those who use it

    return S3Store(bucket)


def delete_or_leave(store: FileStore, name: str) -> bool:
    """Delete a file; what cannot be deleted now (False) is found by `delete_strays`."""
    try:
        store.delete(name)
    except OSError as error:
        logger.warning("export_file_not_deleted", extra={"reason": error.strerror})
        return False
    return True
