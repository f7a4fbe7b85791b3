"""The list of an account's keys: asked of Estuary once, reused for a moment, kept for bad times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.core.cache import cache
from django.utils import timezone

from keys.actors import Actor
from keys.models import StoredToken
from keys.services.stored_tokens import client_for
from keys.upstream import ApiKey, KeyList, UpstreamError

REUSED_FOR = timedelta(seconds=15)
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Estuary listed, and when. It holds no token: none passes `keys.upstream`."""

    keys: tuple[ApiKey, ...]
    unreadable: int
    fetched_at: datetime
    list_version: int
    stale_reason: str = ""  # why this is not fresh, as a sentence

    def find(self, token_hash: str) -> ApiKey | None:
        return next((key for key in self.keys if key.token_hash == token_hash), None)


def current_list(stored: StoredToken, actor: Actor, *, reuse: bool) -> Snapshot:
    """The member's keys, from Estuary or, when it has trouble, as last known.

    `reuse` allows a list of at most 15 seconds ago, if nothing was changed here since. Raises
    UpstreamError when Estuary gives no list and none is known, or when it refuses the token.
    """
    if reuse and (recent := last_known(stored)) and _age(recent) <= REUSED_FOR:
        return recent
    try:
        return remember(stored, client_for(stored, actor).list_keys())
    except UpstreamError as error:
        kept = None if error.is_about_token else last_known(stored)
        if kept is None:
            raise
        return replace(kept, stale_reason=error.sentence)


def _age(snapshot: Snapshot) -> timedelta:
    return timezone.now() - snapshot.fetched_at


def remember(stored: StoredToken, listed: KeyList) -> Snapshot:
    """Keep a list for all processes, under the version that was current when it was asked for."""
    snapshot = Snapshot(listed.keys, listed.unreadable, timezone.now(), stored.list_version)
    cache.set(_name(stored), snapshot, KEPT_FOR.total_seconds())
    return snapshot


def last_known(stored: StoredToken) -> Snapshot | None:
    """The list as it was last fetched, however old, unless something was changed here since."""
    kept = cache.get(_name(stored))
    if isinstance(kept, Snapshot) and kept.list_version == stored.list_version:
        return kept
    return None


def _name(stored: StoredToken) -> str:
    return f"key-list:{stored.pk}"
