"""The state of the workers for operators and admins: how many run, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Count, Max, Min, QuerySet, Value
from django.db.models.functions import Now
from prometheus_client import Metric
from prometheus_client.registry import Collector

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.jobs import workers
from keys.jobs.claims import due
from keys.models import Claimable, Worker

#: A worker beats every few seconds; after this long without one, somebody has to look.
SILENT_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of one kind that are due, and that no worker has claimed."""

    kind: str  # "scheduled run"
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The workers that run, and the rows of work that wait for one."""

    count: int  # of workers that run now
    last_seen: datetime | None  # None: no worker within a day, or never
    is_asleep: bool  # no worker was seen for five minutes
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def waiting_since(self) -> datetime | None:
        return min((kind.since for kind in self.waiting), default=None)

    @property
    def sentence(self) -> str:
        """A sentence for admins, or "" when all is well."""
        if not self.is_asleep:
            return ""
        seen = "No background worker has been seen for five minutes."
        waits = ", ".join(f"{kind.count} of {kind.kind}" for kind in self.waiting)
        return f"{seen} Waiting: {waits}." if waits else seen


def worker_status() -> WorkerStatus:
    """Asked of the database; moments are compared by its clock."""
    seen = Worker.objects.aggregate(last=Max("seen_at"))["last"]
    recent = Worker.objects.filter(seen_at__gt=Now() - SILENT_FOR)
    alive = recent.filter(ended_at=None).count()
    return WorkerStatus(alive, seen, not recent.exists(), list(_waiting()))


def _waiting() -> Iterator[Waiting]:
    for kind, query in _waiting_queries():
        [(count, since)] = query.same_rows()
        if count:
            yield Waiting(kind, count, since)


@cache
def _waiting_queries() -> list[tuple[str, PreparedQuery[Any]]]:
    """A query for each kind of row; admins' pages ask all of them."""
    found: list[tuple[str, PreparedQuery[Any]]] = []
    for model in apps.get_models():
        if issubclass(model, Claimable):
            rows: QuerySet[Claimable] = model._default_manager.order_by()
            free = due(rows).filter(workers.nobody_holds("claimed_by"))
            # Grouped by a constant: one row, with a count of zero too.
            sums = free.annotate(everything=Value(1)).values("everything")
            sums = sums.annotate(count=Count("pk"), since=Min("due_at"))
            query = PreparedQuery(sums.values_list("count", "since"))
            found.append((str(model._meta.verbose_name), query))
    return found


def readiness() -> dict[str, object]:
    """The entry of `/readyz`: pages work without a worker, so it is "degraded", not "failed"."""
    status = worker_status()
    return {
        "state": "degraded" if status.is_asleep else "ok",
        "workers": status.count,
        "last_seen": status.last_seen,
        "waiting": {kind.kind: kind.count for kind in status.waiting},
        "waiting_since": status.waiting_since,
    }


class WorkerNumbers(Collector):
    """The worker's gauges on `/metrics`, read from the database for each answer."""

    def collect(self) -> Iterator[Metric]:
        status = worker_status()
        running = Metric("estuary_admin_workers", "Background workers that run now", "gauge")
        running.add_sample(running.name, {}, status.count)
        yield running
        text = "When a background worker was last seen, in seconds since 1970"
        seen = Metric("estuary_admin_worker_seen_timestamp_seconds", text, "gauge")
        if status.last_seen:
            seen.add_sample(seen.name, {}, status.last_seen.timestamp())
        yield seen
        yield from _waiting_metrics(status.waiting)


def _waiting_metrics(waiting: list[Waiting]) -> Iterator[Metric]:
    text = "Rows of background work that are due and unclaimed"
    count = Metric("estuary_admin_work_waiting", text, "gauge")
    oldest = Metric(
        "estuary_admin_work_waiting_since_timestamp_seconds",
        "When the row that waits longest became due, in seconds since 1970",
        "gauge",
    )
    for kind in waiting:
        count.add_sample(count.name, {"kind": kind.kind}, kind.count)
        oldest.add_sample(oldest.name, {"kind": kind.kind}, kind.since.timestamp())
    yield count
    yield oldest
