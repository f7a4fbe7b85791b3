"""Claiming rows of work one by one, so that each is done once, however often a job is woken.

A job passes the rows that it may work on to `work_off`. The function that does the work gets a
claimed row. It may end the claim itself with `conclude`, inside the transaction of its own changes:
when the claim was lost meanwhile, ClaimLost rolls those back. Before a step that cannot be undone
it calls `confirm`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from keys.jobs import workers
from keys.models.jobs import Claimable

logger = logging.getLogger("estuary_admin.jobs")

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(hours=1)
#: Set under a wrong clock is what is further ahead. Not LONGEST_RETRY: the worker's clock, which
#: sets the time of a retry, may be ahead of the database's, which tells whether it has come.
FARTHEST_RETRY = 2 * LONGEST_RETRY
#: SQLite's clock counts milliseconds: a row that is due now would be so only in the next one.
CLOCK_STEP = timedelta(milliseconds=1)

C = TypeVar("C", bound=Claimable)

#: The rows, as (table, primary key), that threads of this process are working on.
_held: set[tuple[str, Any]] = set()
_lock = threading.Lock()


class ClaimLost(Exception):
    """This worker may not go on: another one has the row, or this one was declared dead."""


def work_off(rows: QuerySet[C], work: Callable[[C], None], *, for_seconds: float = math.inf) -> int:
    """Do the work on each due row of `rows`, one after another; returns on how many.

    A row whose work raises is tried again later, and the others go on. A row that `work` has not
    concluded counts as done. After `for_seconds` no further row is begun.
    """
    count, end = 0, time.monotonic() + for_seconds
    while not workers.stop_requested.is_set() and time.monotonic() < end:
        row = claim_next(rows)
        if row is None:
            break
        count += 1
        try:
            _work_on(row, work)
        finally:
            _let_go(row)
    return count


def _work_on(row: C, work: Callable[[C], None]) -> None:
    try:
        work(row)
        if not row.is_concluded:
            conclude(row)
    except ClaimLost:
        logger.warning("claim_lost", extra={"reason": _words(row)})
    except Exception:
        logger.exception("job_failed", extra={"reason": _words(row)})
        _try_later(row)


def claim_next(rows: QuerySet[C]) -> C | None:
    """Claim the row that has been due for longest; None when no row is free.

    `work_off` is the one caller: it also gives the row free when the work breaks off.
    """
    while free_rows(rows).exists():  # without the write lock of SQLite, which a transaction takes
        with transaction.atomic():
            free = free_rows(rows).order_by("due_at", "pk")
            row = free.select_for_update(skip_locked=True, of=("self",)).first()
            if row is None:
                return None
            if _hold(row) and _claim(row):
                return row
    return None


def _hold(row: Claimable) -> bool:
    """Keep the row from the other threads; False when one took it since the query was made."""
    with _lock:
        is_free = _place(row) not in _held
        _held.add(_place(row))
    return is_free


def _let_go(row: Claimable) -> None:
    with _lock:
        _held.discard(_place(row))


def _claim(row: Claimable) -> bool:
    """Write the claim, unless another process was quicker."""
    worker = workers.current()
    rows = type(row)._default_manager.filter(pk=row.pk, claims=row.claims)
    try:
        is_ours = bool(rows.update(claimed_by=worker, claims=row.claims + 1))
    except DatabaseError:
        _let_go(row)
        raise
    if is_ours:
        row.claimed_by, row.claims = worker, row.claims + 1
    else:
        _let_go(row)
    return is_ours


def free_rows(rows: QuerySet[C]) -> QuerySet[C]:
    """The due rows of nobody, of ended workers and of this one, unless a thread here has them."""
    table = rows.model._meta.label
    with _lock:
        held = [number for name, number in _held if name == table]
    is_free = workers.nobody_holds("claimed_by") | Q(claimed_by=workers.current())
    # A row may be given free while a thread is still at work on it.
    return due(rows).filter(is_free).exclude(pk__in=held)


def due(rows: QuerySet[C]) -> QuerySet[C]:
    """The rows whose moment has come, by the database's clock.

    A retry that is further ahead than any retry can be was set under a clock that was wrong.
    """
    lost = Q(failures__gt=0, due_at__gt=Now() + FARTHEST_RETRY)
    return rows.filter(Q(due_at__lte=Now() + CLOCK_STEP) | lost)


def bring_forward(rows: QuerySet[C], longest: timedelta) -> None:
    """Make due what is further ahead than it can be: it was set under a clock that was wrong."""
    lost = rows.filter(workers.nobody_holds("claimed_by"), due_at__gt=Now() + longest)
    if lost.exists():  # a write takes SQLite's lock, also when it changes nothing
        lost.update(due_at=Now())


def confirm(row: Claimable) -> None:
    """Raise ClaimLost unless the row is still this worker's; ask before what cannot be undone."""
    if not _claimed(row).filter(claimed_by__ended_at=None).exists():
        raise ClaimLost


def conclude(row: Claimable, *, again_at: datetime | None = None, **changes: Any) -> None:
    """End the claim and save `changes` in one statement: done, or due again at a later moment.

    Raises ClaimLost when another worker has the row; nothing is saved then.
    """
    changes = {"failures": 0} | changes
    if not _claimed(row).update(due_at=again_at, claimed_by=None, **changes):
        raise ClaimLost
    row.is_concluded, row.due_at = True, again_at
    for name, value in changes.items():
        setattr(row, name, value)


def retry_at(failures: int) -> datetime:
    """The time of the next attempt, by the number of earlier failures."""
    wait: timedelta = min(FIRST_RETRY * 2 ** min(failures, 16), LONGEST_RETRY)
    return timezone.now() + wait


def _try_later(row: Claimable) -> None:
    try:
        conclude(row, again_at=retry_at(row.failures), failures=F("failures") + 1)
    except ClaimLost:
        logger.warning("claim_lost", extra={"reason": _words(row)})
    except DatabaseError:
        # The row stays claimed by this worker, whose threads may take it again.
        logger.exception("claim_not_ended", extra={"reason": _words(row)})


def _claimed(row: Claimable) -> QuerySet[Any]:
    rows = type(row)._default_manager
    return rows.filter(pk=row.pk, claims=row.claims, claimed_by=row.claimed_by_id)


def _place(row: Claimable) -> tuple[str, Any]:
    return row._meta.label, row.pk


def _words(row: Claimable) -> str:
    return f"{row._meta.label} {row.pk}"
