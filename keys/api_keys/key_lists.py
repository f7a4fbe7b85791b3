"""The list of an account's keys: fetched from Estuary, reused for seconds, kept for a day."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
from django.core.cache import caches
from django.utils import timezone

from keys.actors import Actor
from keys.fetched import KEEP_FETCHED, Fetched, ahead_of, fetch_or_keep
from keys.models import StoredToken
from keys.token.stored_tokens import client_for
from keys.upstream import ApiKey, KeyList

logger = logging.getLogger("estuary_admin.keys")

REUSE_LIST = timedelta(seconds=15)


class Snapshot(Fetched, frozen=True, array_like=True):
    """The keys that Estuary listed. It holds no token: `keys.upstream` lets none through."""

    keys: tuple[ApiKey, ...]
    unreadable: int
    list_version: int

    def find(self, token_hash: str) -> ApiKey | None:
        return next((key for key in self.keys if key.token_hash == token_hash), None)

    def only(self, token_hashes: set[str]) -> Snapshot:
        """The snapshot with only these keys: finding hundreds among 200,000 would take seconds."""
        keys = tuple(key for key in self.keys if key.token_hash in token_hashes)
        return msgspec.structs.replace(self, keys=keys)

    @property
    def doubt(self) -> str:
        """The reason why a key that is missing here may exist all the same; "" without one."""
        return self.stale_reason or (
            "Estuary's list could not be read whole." if self.unreadable else ""
        )


_packed = msgspec.msgpack.Decoder(Snapshot)


def current_list(stored: StoredToken, actor: Actor, *, reuse: bool) -> Snapshot:
    """The member's keys, from Estuary or, when it has trouble, as last known.

    `reuse` allows a list of at most 15 seconds ago, if nothing was changed here since. Raises
    UpstreamError when Estuary gives no list and none is known, or when it refuses the token.
    """
    if reuse and (recent := recent_list(stored)):
        return recent
    client = client_for(stored, actor)
    return fetch_or_keep(lambda: remember(stored, client.list_keys()), lambda: last_known(stored))


def list_for(stored: StoredToken, actor: Actor, token_hash: str) -> Snapshot:
    """A list to find one key in; only a fresh list can say that the key is not there.

    Raises UpstreamError as `current_list` does.
    """
    recent = recent_list(stored)
    return (
        recent if recent and recent.find(token_hash) else current_list(stored, actor, reuse=False)
    )


def recent_list(stored: StoredToken) -> Snapshot | None:
    """The list of the last 15 seconds, unless something was changed here since."""
    known = last_known(stored)
    return known if known and known.age(timezone.now()) <= REUSE_LIST else None


def remember(stored: StoredToken, listed: KeyList) -> Snapshot:
    """Keep a list for all processes, with the version that was current before it was fetched."""
    snapshot = Snapshot(
        listed.keys,
        listed.unreadable,
        stored.list_version,
        fetched_at=timezone.now(),
        clock_ahead=ahead_of(listed.clock),
    )
    try:
        caches["key_lists"].set(
            _name(stored), msgspec.msgpack.encode(snapshot), KEEP_FETCHED.total_seconds()
        )
    except OSError:
        # The disk is full or read-only: the list is shown all the same.
        logger.exception("key_list_not_kept")
    return snapshot


def last_known(stored: StoredToken) -> Snapshot | None:
    """The list as it was last fetched, at most a day ago, unless something was changed since."""
    kept = _kept(stored)
    if kept is None or kept.list_version != stored.list_version:
        return None
    return kept if kept.age(timezone.now()) <= KEEP_FETCHED else None


def _kept(stored: StoredToken) -> Snapshot | None:
    try:
        packed = caches["key_lists"].get(_name(stored))
        return _packed.decode(packed) if packed else None
    except Exception:
        # A truncated file, or a list of another version: Estuary can be asked again.
        logger.exception("key_list_unreadable")
        return None


def _name(stored: StoredToken) -> str:
    # The number changes with the fields of Snapshot. The hash keeps the lists of two accounts
    # apart, also after a backup was restored.
    return f"key-list:4:{stored.pk}:{stored.token_hash}"
