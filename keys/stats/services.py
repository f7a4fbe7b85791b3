"""The amount that an account stores; the last known figures when Estuary has trouble."""

from __future__ import annotations

import msgspec
from django.core.cache import cache
from django.utils import timezone

from keys.actors import Actor
from keys.fetched import KEEP_FETCHED, Fetched, ahead_of, digest_of, fetch_or_keep
from keys.models import StoredToken
from keys.token.stored_tokens import client_for
from keys.upstream import EstuaryClient


class AccountStats(Fetched, frozen=True, array_like=True):
    """Estuary's figures for an account."""

    total_size: int
    pin_count: int

    @property
    def digest(self) -> str:
        return digest_of(self.total_size, self.pin_count)

    @property
    def average_size(self) -> int | None:
        """Bytes per pin, rounded down; None when there are no pins."""
        return self.total_size // self.pin_count if self.pin_count else None


_packed = msgspec.msgpack.Decoder(AccountStats)


def current_stats(stored: StoredToken, actor: Actor) -> AccountStats:
    """Ask Estuary; raises UpstreamError when it gives none and none are known."""
    client = client_for(stored, actor)
    return fetch_or_keep(
        lambda: _fetch(client, stored),
        lambda: last_known(stored),
        lambda: cache.delete(_name(stored)),
    )


def _fetch(client: EstuaryClient, stored: StoredToken) -> AccountStats:
    stats = client.stats()
    fetched = AccountStats(
        stats.total_size,
        stats.pin_count,
        fetched_at=timezone.now(),
        clock_ahead=ahead_of(stats.clock),
    )
    keep(stored, fetched)
    return fetched


def keep(stored: StoredToken, figures: AccountStats) -> None:
    """Keep the figures for all processes."""
    cache.set(_name(stored), msgspec.msgpack.encode(figures), KEEP_FETCHED.total_seconds())


def last_known(stored: StoredToken) -> AccountStats | None:
    """The figures as they were last fetched, at most a day ago."""
    packed = cache.get(_name(stored))
    try:
        kept = _packed.decode(packed) if packed else None
    except (TypeError, msgspec.MsgspecError):  # kept by another version
        return None
    return kept if kept and kept.age(timezone.now()) <= KEEP_FETCHED else None


def _name(stored: StoredToken) -> str:
    return f"stats:2:{stored.pk}:{stored.token_hash}"
