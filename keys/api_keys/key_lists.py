"""The list of an account's keys: fetched from Estuary, reused for seconds, kept for a day."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import msgspec
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys import kept_lists
from keys.api_keys.kept_lists import Head, KeyIndex
from keys.fetched import KEEP_FETCHED, Fetched, ahead_of, digest_of, fetch_or_keep
from keys.models import StoredToken
from keys.token.stored_tokens import client_for
from keys.upstream import ApiKey, KeyList

logger = logging.getLogger("estuary_admin.keys")

REUSE_LIST = timedelta(seconds=15)


NO_OWN_KEY = (
    "Estuary's list does not hold the key of your stored token, so other keys may be missing too."
)


class Snapshot(Fetched, frozen=True):
    """The keys that Estuary listed. It holds no token: `keys.upstream` lets none through."""

    index: KeyIndex
    unreadable: int
    missing_own: str  # the hash of the stored token, which asked, if the list lacks it
    list_version: int
    keys_digest: str

    @property
    def keys(self) -> tuple[ApiKey, ...]:
        """In Estuary's order."""
        return self.index.keys

    @property
    def digest(self) -> str:
        """Names what a page shows of it: another digest, another page."""
        return digest_of(self.keys_digest, self.unreadable, self.clock_warning)

    def find(self, token_hash: str) -> ApiKey | None:
        """The key with this hash, or None."""
        return self.index.by_hash.get(token_hash)

    def only(self, token_hashes: set[str]) -> Snapshot:
        """The snapshot with only these keys: finding hundreds among 200,000 would take seconds."""
        keys = tuple(key for key in self.keys if key.token_hash in token_hashes)
        return msgspec.structs.replace(self, index=KeyIndex(keys))

    def doubt_about(self, token_hash: str) -> str:
        """The reason why a key that is missing here may still exist; "" without one."""
        if self.stale_reason:
            return self.stale_reason
        if self.unreadable:
            return "Estuary's list could not be read whole."
        # For 10 seconds after its own end a token may still list, and is told of no keys at all.
        return NO_OWN_KEY if self.missing_own not in {"", token_hash} else ""


def current_list(stored: StoredToken, actor: Actor, *, reuse: bool) -> Snapshot:
    """The member's keys, from Estuary or, when it has trouble, as last known.

    `reuse` allows a list of at most 15 seconds ago, if nothing was changed here since. Raises
    UpstreamError when Estuary gives no list and none is known, or when it refuses the token.
    """
    if reuse and (recent := recent_list(stored)):
        return recent
    client = client_for(stored, actor)
    return fetch_or_keep(
        lambda: remember(stored, client.list_keys()),
        lambda: last_known(stored),
        lambda: kept_lists.forget(stored),
    )


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
    digest = digest_of(listed.keys)
    index = kept_lists.memory.put(digest, KeyIndex(listed.keys))
    snapshot = Snapshot(
        index,
        listed.unreadable,
        "" if stored.token_hash in index.by_hash else stored.token_hash,
        stored.list_version,
        digest,
        fetched_at=timezone.now(),
        clock_ahead=ahead_of(listed.clock),
    )
    try:
        kept_lists.write(
            stored,
            snapshot.index,
            digest,
            unreadable=snapshot.unreadable,
            fetched_at=snapshot.fetched_at,
            clock_ahead=snapshot.clock_ahead,
        )
    except OSError:
        # The disk is full or read-only: the list is shown anyway.
        logger.exception("key_list_not_kept")
    return snapshot


def last_known(stored: StoredToken) -> Snapshot | None:
    """The list as it was last fetched, at most a day ago, unless something was changed since."""
    head = kept_lists.read_head(stored)
    if head is None or head.list_version != stored.list_version:
        return None
    if abs(timezone.now() - head.fetched_at) > KEEP_FETCHED:
        return None
    return _opened(stored, head)


def kept_lists_with(text: str, but: StoredToken | None) -> Iterator[tuple[StoredToken, Snapshot]]:
    """The kept lists of the other members that hold this hash, or the beginning of one.

    Only lists with the text are unpacked: a team may have a thousand.
    """
    others = StoredToken.objects.select_related("member")
    for stored in others.exclude(pk=but.pk) if but else others:
        head = kept_lists.read_head(stored)
        if head and kept_lists.holds(stored, text) and (kept := _opened(stored, head)):
            yield stored, kept


def _opened(stored: StoredToken, head: Head) -> Snapshot | None:
    index = kept_lists.read_keys(stored, head)
    if index is None:
        return None
    return Snapshot(
        index,
        head.unreadable,
        "" if stored.token_hash in index.by_hash else stored.token_hash,
        head.list_version,
        head.digest,
        fetched_at=head.fetched_at,
        clock_ahead=head.clock_ahead,
    )
