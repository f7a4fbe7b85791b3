"""The keys of one list with what is derived from them, once for each process and list."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from operator import attrgetter

from estuary_admin.unicode_text import comparable, shows_something
from keys.upstream import ApiKey

expiry_of = attrgetter("expiry")

#: Of all lists together that a process keeps decoded; 10,000 keys take some 5 MB.
MAX_KEYS_IN_MEMORY = 50_000


class KeyIndex:
    """Keys in Estuary's order; what else a page needs is computed by the first that needs it.

    All pages share the lists in here, so none of them is ever changed.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self.keys = tuple(keys)

    @cached_property
    def by_hash(self) -> dict[str, ApiKey]:
        """Keys by hash; of two keys with the same hash, the first counts."""
        return {key.token_hash: key for key in reversed(self.keys)}

    @cached_property
    def by_end(self) -> list[ApiKey]:
        """Keys by expiry, the earliest first."""
        return sorted(self.keys, key=expiry_of)

    @cached_property
    def without_sessions(self) -> list[ApiKey]:
        """By their end."""
        return [key for key in self.by_end if not key.is_session]

    @cached_property
    def sessions(self) -> list[ApiKey]:
        """By their end."""
        return [key for key in self.by_end if key.is_session]

    @cached_property
    def legacy(self) -> list[ApiKey]:
        """By their end."""
        return [key for key in self.by_end if key.is_legacy]

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels as they are compared, by hash; "" for a label that shows nothing."""
        return {key.token_hash: _compared(key.label) for key in self.keys}

    def ended(self, moment: datetime) -> list[ApiKey]:
        """The keys that have expired at a moment."""
        return self.by_end[: bisect_right(self.by_end, moment, key=expiry_of)]


def _compared(label: str) -> str:
    shows = label[:1].isalnum() or shows_something(label)
    return comparable(label) if shows else ""


class IndexMemory:
    """The lists that this process used last, by the digest of their keys.

    A digest names its content, so nothing here is ever out of date.
    """

    def __init__(self, max_keys: int = MAX_KEYS_IN_MEMORY) -> None:
        self._max_keys = max_keys
        self._count = 0
        self._found: OrderedDict[str, KeyIndex] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        with self._lock:
            self._found.clear()
            self._count = 0

    def get(self, digest: str) -> KeyIndex | None:
        with self._lock:
            if digest in self._found:
                self._found.move_to_end(digest)
            return self._found.get(digest)

    def put(self, digest: str, index: KeyIndex) -> KeyIndex:
        """Store a list; returns the one to use, since another thread may have stored the same."""
        with self._lock:
            if digest in self._found:
                return self._found[digest]
            self._found[digest] = index
            self._count += len(index.keys)
            while self._count > self._max_keys and self._found:
                _, dropped = self._found.popitem(last=False)
                self._count -= len(dropped.keys)
            return index
