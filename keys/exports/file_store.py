"""Where prepared exports are kept: a folder that only the console's user may enter."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from django.conf import settings

from keys.exports.sealed_files import Source


class OpenFile(Source, Protocol):
    """A file that is being read; close it in any case."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class FileStore(Protocol):
    """Files by name. All methods raise OSError."""

    def create(self, name: str) -> BinaryIO:
        """A new file to write; a name is used once."""

    def keep(self, file: BinaryIO) -> None:
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
    return FolderStore(settings.EXPORT_STORAGE)
