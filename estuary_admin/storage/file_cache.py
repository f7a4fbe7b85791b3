"""A cache in files, without locks, for values that every page writes."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import struct
import time
import zlib
from pathlib import Path
from typing import IO, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache

from estuary_admin.storage.cache_values import is_from_the_future

HEADER = struct.Struct("!ddI")  # time of writing, time of expiry, checksum of the value
NEVER = float("inf")


class FileCache(FileBasedCache):
    """Django's file cache for bytes, with cheaper writes: it does not count all files, compress
    the value or create a new file on each write.

    A reader may therefore meet a half-written file; the checksum makes it a cache miss.
    Not a database cache: that needs SQLite's only write lock, and a thread that waits for the
    interpreter holds it. With 32 connections the slowest page took a second.
    """

    WRITES_PER_CULL = 500

    def set(
        self, key: Any, value: bytes, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        self._createdir()  # type: ignore[attr-defined] # the stubs lack it
        self._cull()
        expiry = self.get_backend_timeout(timeout)
        header = HEADER.pack(time.time(), NEVER if expiry is None else expiry, zlib.crc32(value))
        size = len(header) + len(value)
        file = os.open(self._file(key, version), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            if os.writev(file, [header, value]) < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(file, size)
        finally:
            os.close(file)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            with self._file(key, version).open("rb") as file:
                is_live, checksum = _header(file)
                value = file.read() if is_live else b""
        except FileNotFoundError:
            return default
        return value if value and zlib.crc32(value) == checksum else default

    def _file(self, key: Any, version: int | None) -> Path:
        return Path(self._key_to_file(key, version))  # type: ignore[attr-defined]

    def _is_expired(self, file: IO[bytes]) -> bool:
        return not _header(file)[0]

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        value = self.get(key, version=version)
        if value is not None:
            self.set(key, value, timeout, version)
        return value is not None

    def prune(self) -> None:
        """Delete expired files: an expired list that nobody asks for again is not overwritten."""
        for name in self._list_cache_files():  # type: ignore[attr-defined]
            with contextlib.suppress(OSError):
                with Path(name).open("rb") as file:
                    is_expired = self._is_expired(file)
                if is_expired:
                    Path(name).unlink()

    def _cull(self) -> None:
        if random.randrange(self.WRITES_PER_CULL) == 0:  # noqa: S311 - not a secret
            super()._cull()  # type: ignore[misc]


def _header(file: IO[bytes]) -> tuple[bool, int]:
    """Whether the value is current, and its checksum."""
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return False, 0
    written_at, expiry, checksum = HEADER.unpack(header)
    return expiry >= time.time() and not is_from_the_future(written_at), checksum
