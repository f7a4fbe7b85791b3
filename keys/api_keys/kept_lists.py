"""The last list of each account: in memory with what is derived from it, and kept for a day.

It is kept as a small head, and the keys apart from it. Most lists are the same as the one before.
Then the head alone is written, and a process that has the keys in memory reads the head alone,
however long the list is.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter

import msgspec
from django.core.cache import caches

from estuary_admin.unicode_text import comparable, shows_something
from keys.fetched import KEEP_FETCHED
from keys.models import StoredToken
from keys.upstream import ApiKey

logger = logging.getLogger("estuary_admin.keys")

#: A head that says the same is not written again so soon: its time is at most this much too old.
REWRITE_AFTER = timedelta(seconds=2)
#: The keys outlive their head: lists that stay the same are not written with each head.
REWRITE_KEYS_AFTER = timedelta(hours=1)
KEEP_KEYS = KEEP_FETCHED + 2 * REWRITE_KEYS_AFTER

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


memory = IndexMemory()


class Head(msgspec.Struct, frozen=True, array_like=True):
    """A kept list without its keys."""

    fetched_at: datetime
    clock_ahead: timedelta
    unreadable: int
    list_version: int
    digest: str  # of the keys
    keys_written_at: datetime


_heads = msgspec.msgpack.Decoder(Head)
_keys = msgspec.msgpack.Decoder(tuple[str, tuple[ApiKey, ...]])


def write(
    stored: StoredToken,
    index: KeyIndex,
    digest: str,
    *,
    unreadable: int,
    fetched_at: datetime,
    clock_ahead: timedelta,
) -> None:
    """Keep a list for all processes, unless one of a later version is kept. Raises OSError."""
    before = read_head(stored)
    if before and before.list_version > stored.list_version:
        return
    is_same = before is not None and before.digest == digest
    written_at = before.keys_written_at if before and is_same else fetched_at
    if not is_same or abs(fetched_at - written_at) > REWRITE_KEYS_AFTER:
        packed = msgspec.msgpack.encode((digest, index.keys))
        caches["key_lists"].set(keys_name(stored), packed, KEEP_KEYS.total_seconds())
        written_at = fetched_at
    head = Head(fetched_at, clock_ahead, unreadable, stored.list_version, digest, written_at)
    if before is None or not _says_the_same(before, head):
        packed = msgspec.msgpack.encode(head)
        caches["key_lists"].set(_head_name(stored), packed, KEEP_FETCHED.total_seconds())


def read_head(stored: StoredToken) -> Head | None:
    """The kept list without its keys; None when none is kept or it cannot be read."""
    try:
        packed = caches["key_lists"].get(_head_name(stored))
        return _heads.decode(packed) if packed else None
    except Exception:
        # A truncated file, or one of another version: Estuary can be asked again.
        logger.exception("key_list_unreadable")
        return None


def read_keys(stored: StoredToken, head: Head) -> KeyIndex | None:
    """The keys that belong to a head; without them, the head is deleted and None returned."""
    if index := memory.get(head.digest):
        return index
    try:
        packed = caches["key_lists"].get(keys_name(stored))
        digest, keys = _keys.decode(packed) if packed else ("", ())
    except Exception:
        logger.exception("key_list_unreadable")
        digest, keys = "", ()
    if digest != head.digest:
        forget(stored)  # else the next list with the same digest would not write its keys
        return None
    return memory.put(digest, KeyIndex(keys))


def forget(stored: StoredToken) -> None:
    """Delete the head of the kept list, without which its keys are not used."""
    caches["key_lists"].delete(_head_name(stored))


def holds(stored: StoredToken, text: str) -> bool:
    """Whether the kept list may hold this text, without unpacking it."""
    packed = caches["key_lists"].get(keys_name(stored))
    return bool(packed) and text.encode() in packed


def keys_name(stored: StoredToken) -> str:
    """The cache key of the keys of a kept list."""
    # The number changes with the structs. The hash keeps the lists of two accounts apart, also
    # after a backup was restored.
    return f"key-list-keys:1:{stored.pk}:{stored.token_hash}"


def _head_name(stored: StoredToken) -> str:
    return f"key-list:6:{stored.pk}:{stored.token_hash}"


def _says_the_same(before: Head, head: Head) -> bool:
    is_recent = timedelta() <= head.fetched_at - before.fetched_at < REWRITE_AFTER
    # The node's clock comes in whole seconds.
    is_same_clock = abs(before.clock_ahead - head.clock_ahead) < timedelta(seconds=2)
    same = msgspec.structs.replace(before, fetched_at=head.fetched_at, clock_ahead=head.clock_ahead)
    return is_recent and is_same_clock and same == head
