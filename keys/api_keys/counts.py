"""Counts the keys of all accounts by status, from the kept lists and without asking Estuary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from django.core.cache import cache
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.registry import Collector

from keys.api_keys import key_lists
from keys.api_keys.query import Status
from keys.api_keys.rows import TERMS, status_of, terms_at
from keys.models import KeyCreation, StoredToken
from keys.upstream import ApiKey

READ_LISTS_SECONDS = 2.0  # for the kept lists of all accounts
REUSE_COUNTS_SECONDS = 60  # a monitor asks often, and all machines have the same lists
CACHE_NAME = "key-counts:1"


CREATION_TAKES_AT_MOST = timedelta(minutes=10)


class Counts(msgspec.Struct, frozen=True):
    """Each key has one status.

    `unseen` accounts have no list of the last day, or no time was left to read it.
    """

    by_status: dict[str, int]
    legacy: int
    seen: int
    unseen: int


def current_counts() -> Counts:
    """Count what is kept, at most once a minute for all processes together."""
    if kept := cache.get(CACHE_NAME):
        return msgspec.msgpack.decode(kept, type=Counts)
    counts = _counted()
    cache.set(CACHE_NAME, msgspec.msgpack.encode(counts), REUSE_COUNTS_SECONDS)
    return counts


def _counted() -> Counts:
    keys: Counter[str] = Counter({str(status): 0 for status in (*TERMS, Status.SESSION)})
    legacy = seen = unseen = 0
    met: set[int] = set()  # two members may have connected one account
    now, end = timezone.now(), time.monotonic() + READ_LISTS_SECONDS
    for stored in StoredToken.objects.only("token_hash", "list_version").iterator():
        known = key_lists.last_known(stored) if time.monotonic() < end else None
        if known is None:
            unseen += 1
            continue
        seen += 1
        new = [key for key in known.keys if hash(key.token_hash) not in met]
        met.update(hash(key.token_hash) for key in new)
        keys.update(_statuses(new, known.node_now(now)))
        legacy += sum(key.is_legacy for key in new)
    return Counts(dict(keys), legacy, seen, unseen)


def _statuses(keys: Iterable[ApiKey], node_now: datetime) -> Iterable[str]:
    ends = terms_at(node_now)
    return (str(Status.SESSION if key.is_session else status_of(key, ends)) for key in keys)


class KeyCounts(Collector):
    """Gauges of the keys of all accounts, computed for each answer."""

    def collect(self) -> Iterator[Metric]:
        """An account whose list is not known counts as unseen, not as empty."""
        counts = current_counts()
        yield _gauge("keys", "Keys by status, as last seen", "status", counts.by_status)
        legacy = {"": counts.legacy}
        yield _gauge(
            "legacy_keys", "Keys that Estuary lists in plain text, as last seen", "", legacy
        )
        yield _gauge(
            "accounts",
            "Connected members, by whether their list was seen within a day",
            "list",
            {"seen": counts.seen, "unseen": counts.unseen},
        )


class UnfinishedCreations(Collector):
    """Creations whose outcome should be recorded by now: nobody may have the key's token."""

    def collect(self) -> Iterator[Metric]:
        requested_before = timezone.now() - CREATION_TAKES_AT_MOST
        unfinished = KeyCreation.objects.filter(
            outcome=KeyCreation.Outcome.REQUESTED, requested_at__lt=requested_before
        )
        text = "Creations of more than ten minutes ago without a recorded outcome"
        yield _gauge("unfinished_creations", text, "", {"": unfinished.count()})


def _gauge(name: str, text: str, label: str, numbers: Mapping[str, int]) -> Metric:
    metric = Metric(f"estuary_admin_{name}", text, "gauge")
    for value, number in sorted(numbers.items()):
        metric.add_sample(metric.name, {label: value} if label else {}, number)
    return metric
