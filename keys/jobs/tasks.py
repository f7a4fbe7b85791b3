"""The tasks that workers run. Each finds its own work by a query; most are woken periodically.

Every task calls one service, as an actor of its own name. Periodic tasks run every
WORKER_PERIOD_SECONDS; a job that is due less often keeps its moment in the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from keys import retention
from keys.api_keys.lost_creations import reconcile_overdue
from keys.jobs.periodic import run_when_due
from keys.jobs.queues import long, short
from keys.notices.outbox import deliver_due
from keys.notices.reminding import remind_due

DAY = timedelta(days=1)


def always(_now: datetime) -> bool:
    """When a periodic task is woken: each time the scheduler looks."""
    return True


@long.periodic_task(always)
def reconcile_creations() -> None:
    """Settle creations whose end could not be recorded."""
    run_when_due("reconcile_creations", timedelta(minutes=10), reconcile_overdue)


@long.periodic_task(always)
def prune() -> None:
    run_when_due("prune", DAY, retention.prune_all)


@long.periodic_task(always)
def remind() -> None:
    """Look at the keys of members whose daily look is due, and write their digests."""
    remind_due()


@short.periodic_task(always)
def deliver_messages() -> None:
    """Deliver what the outbox holds."""
    deliver_due()
