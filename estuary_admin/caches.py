"""A cache in files for what is written with every page: no lock, so no page waits for another."""

from __future__ import annotations

import pickle
import random
import zlib
from typing import IO, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache


class QuickFileCache(FileBasedCache):
    """Django's file cache without what it does per write: counting all files, and squeezing.

    A database cache holds SQLite's only write lock, and a thread that waits for its turn of the
    interpreter holds it for long: at 32 connections the slowest page took a second.
    """

    CULLED_ONCE_IN = 500

    def _cull(self) -> None:
        if random.randrange(self.CULLED_ONCE_IN) == 0:  # noqa: S311 - no secret hangs on it
            super()._cull()  # type: ignore[misc] # unknown to the stubs

    def _write_content(self, file: IO[bytes], timeout: Any, value: Any) -> None:
        expiry = self.get_backend_timeout(DEFAULT_TIMEOUT if timeout is None else timeout)
        file.write(pickle.dumps(expiry, self.pickle_protocol))
        file.write(zlib.compress(pickle.dumps(value, self.pickle_protocol), level=0))
