"""Worker processes as rows: which of them live, and which one schedules periodic tasks.

No clock decides who lives. Each worker raises its own counter every few seconds and watches the
counters of the others: one that stays the same for several looks in a row is ended, and its claims
are free. A jump of a clock cannot take work away from a worker, and an outage of the database
cannot either, because nobody can look meanwhile.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import F, Q
from django.db.models.functions import Now

from keys.models import SchedulerLease, Worker

logger = logging.getLogger("estuary_admin.jobs")

#: Looks in a row without a beat after which a worker counts as dead.
MISSED_BEATS = 6
LEASE_NAME = "scheduler"

#: Set when this process is asked to stop; long jobs look at it between their steps.
stop_requested = threading.Event()
_current: Worker | None = None


class NoWorker(Exception):
    """This process is no worker, or it was declared dead: it may claim nothing."""


def register() -> Worker:
    """Make this process a worker."""
    global _current
    SchedulerLease.objects.get_or_create(name=LEASE_NAME)
    _current = Worker.objects.create(host=socket.gethostname()[:253], pid=os.getpid())
    return _current


def current() -> Worker:
    """The worker of this process; raises NoWorker."""
    if _current is None:
        raise NoWorker
    return _current


def unregister() -> None:
    """End this process's worker: its claims and the lease are free at once."""
    global _current
    worker, _current = _current, None
    if worker:
        Worker.objects.filter(pk=worker.pk, ended_at=None).update(ended_at=Now())


def nobody_holds(field: str) -> Q:
    """The condition that a foreign key to a worker names nobody, or one that has ended."""
    return Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__ended_at__isnull": False})


def holds_scheduler_lease() -> bool:
    """Whether this worker schedules the periodic tasks; takes the lease when nobody holds it."""
    worker = current()
    lease = SchedulerLease.objects.select_related("holder").get(name=LEASE_NAME)
    if lease.holder_id == worker.pk:
        return True
    if lease.holder and lease.holder.ended_at is None:
        return False
    # Compare and swap: another worker may be taking it right now.
    rows = SchedulerLease.objects.filter(pk=lease.pk, holder_id=lease.holder_id)
    return bool(rows.update(holder=worker))


class Watch:
    """One worker's view of the others: their last counter, and how often it stayed the same."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._seen: dict[UUID, tuple[int, int]] = {}

    def beat(self) -> bool:
        """Say that this worker lives; False when the others have declared it dead."""
        mine = Worker.objects.filter(pk=self._worker.pk, ended_at=None)
        return bool(mine.update(beats=F("beats") + 1, seen_at=Now()))

    def look(self) -> None:
        """End the workers that have not moved for several looks."""
        others = Worker.objects.filter(ended_at=None).exclude(pk=self._worker.pk)
        seen: dict[UUID, tuple[int, int]] = {}
        for number, beats in others.values_list("pk", "beats"):
            last, misses = self._seen.get(number, (beats, -1))
            seen[number] = (beats, misses + 1 if last == beats else 0)
        self._seen = seen
        for number, (beats, misses) in seen.items():
            if misses >= MISSED_BEATS:
                silent = Worker.objects.filter(pk=number, beats=beats, ended_at=None)
                if silent.update(ended_at=Now()):
                    logger.warning("worker_declared_dead", extra={"reason": str(number)})


class Heartbeat(threading.Thread):
    """Beats and looks until it is told to end; calls `when_lost` when this worker is ended."""

    def __init__(self, worker: Worker, when_lost: Callable[[], None]) -> None:
        super().__init__(name="Heartbeat", daemon=True)
        self._watch = Watch(worker)
        self._when_lost = when_lost
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(settings.WORKER_BEAT_SECONDS):
            try:
                if not self._watch.beat():
                    self._when_lost()
                    return
                self._watch.look()
            except DatabaseError as error:
                logger.warning("heartbeat_failed", extra={"reason": type(error).__name__})
            finally:
                close_old_connections()

    def end(self) -> None:
        self._ended.set()
        self.join(timeout=10)
