"""How much an account stores; the last known figures when Estuary has trouble."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.core.cache import cache
from django.utils import timezone

from estuary_admin.storage.connections import let_go_of_the_database
from keys.actors import Actor
from keys.api_keys.key_lists import KEPT_FOR
from keys.models import StoredToken
from keys.token.stored_tokens import client_for
from keys.upstream import Stats, UpstreamError


@dataclass(frozen=True, slots=True)
class FetchedStats:
    stats: Stats
    fetched_at: datetime
    stale_reason: str = ""  # why this is not fresh, as a sentence

    @property
    def average_size(self) -> int | None:
        """Bytes per pin, rounded down; None when there are no pins."""
        return self.stats.total_size // self.stats.pin_count if self.stats.pin_count else None


def current_stats(stored: StoredToken, actor: Actor) -> FetchedStats:
    """Ask Estuary; raises UpstreamError when it gives none and none are known."""
    name = f"stats:{stored.pk}:{stored.token_hash}"
    client = client_for(stored, actor)
    let_go_of_the_database()
    try:
        fetched = FetchedStats(client.stats(), timezone.now())
    except UpstreamError as error:
        kept = cache.get(name)
        if error.is_about_token or not isinstance(kept, FetchedStats):
            raise
        return replace(kept, stale_reason=error.sentence)
    cache.set(name, fetched, KEPT_FOR.total_seconds())
    return fetched
