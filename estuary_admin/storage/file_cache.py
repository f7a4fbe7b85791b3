"""A cache in files for what is written with every page: no lock, so no page waits for another."""

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

HEAD = struct.Struct("!dI")  # when it is over, and the checksum of what follows
FOREVER = float("inf")


class QuickFileCache(FileBasedCache):
    """Django's file cache for bytes, without what it does per write: counting all files, squeezing
    what is in them, and making a new one each time, which takes longer than all the rest.

    So a reader may meet half of what is being written, and takes it for nothing: see the checksum.
    A database cache holds SQLite's only write lock, and a thread that waits for its turn of the
    interpreter holds it for long: at 32 connections the slowest page took a second.
    """

    CULLED_ONCE_IN = 500

    def set(
        self, key: Any, value: bytes, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        self._createdir()  # type: ignore[attr-defined] # unknown to the stubs, as are others
        self._cull()
        expiry = self.get_backend_timeout(timeout)
        head = HEAD.pack(FOREVER if expiry is None else expiry, zlib.crc32(value))
        file = os.open(self._file(key, version), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            if os.writev(file, [head, value]) < len(head) + len(value):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(file, len(head) + len(value))
        finally:
            os.close(file)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            with self._file(key, version).open("rb") as file:
                expiry, checksum = _head(file)
                value = file.read() if expiry >= time.time() else b""
        except FileNotFoundError:
            return default
        return value if value and zlib.crc32(value) == checksum else default

    def _file(self, key: Any, version: int | None) -> Path:
        return Path(self._key_to_file(key, version))  # type: ignore[attr-defined]

    def _is_expired(self, file: IO[bytes]) -> bool:
        return _head(file)[0] < time.time()

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        value = self.get(key, version=version)
        if value is not None:
            self.set(key, value, timeout, version)
        return value is not None

    def prune(self) -> None:
        """Remove what is over. Only a list that is asked for anew is overwritten by itself."""
        for name in self._list_cache_files():  # type: ignore[attr-defined]
            with contextlib.suppress(OSError):
                with Path(name).open("rb") as file:
                    is_over = self._is_expired(file)
                if is_over:
                    Path(name).unlink()

    def _cull(self) -> None:
        if random.randrange(self.CULLED_ONCE_IN) == 0:  # noqa: S311 - no secret hangs on it
            super()._cull()  # type: ignore[misc]


def _head(file: IO[bytes]) -> tuple[float, int]:
    """When a file is over, and its checksum; of one that is no such file, long ago."""
    head = file.read(HEAD.size)
    return HEAD.unpack(head) if len(head) == HEAD.size else (0.0, 0)
