"""The tasks that workers run. Each finds its own work by a query; most are woken periodically.

Every task calls one service, as an actor of its own name. Periodic tasks run every
WORKER_PERIOD_SECONDS; a job that is due less often keeps its moment in the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from keys import retention
from keys.api_keys import rotation_end
from keys.api_keys.bulk_work import work_off_changes
from keys.api_keys.lost_creations import reconcile_overdue
from keys.exports import comparing, preparing, schedules, team_parts
from keys.jobs.periodic import run_when_due
from keys.jobs.queues import long, short
from keys.notices.outbox import deliver_due
from keys.notices.reminding import remind_due
from keys.team import offboarding, overview, requested_rotations
from keys.team.sync import sync_due
from keys.token.renewal import renew_due

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


@long.periodic_task(always)
def sample_team() -> None:
    """Keep what all accounts together store today."""
    run_when_due("sample_team", timedelta(hours=1), overview.keep_sample)


@long.periodic_task(always)
def verify_audit() -> None:
    """Walk the chain of the audit once a day."""
    run_when_due("verify_audit", DAY, overview.verify_chain)


@long.periodic_task(always)
def off_board() -> None:
    """Go on with the off-boardings that are due."""
    offboarding.run_due()


@long.periodic_task(always)
def sync() -> None:
    """Look at the accounts whose look is due; what they store is then known of today."""
    if sync_due():
        overview.keep_sample()


@long.periodic_task(always)
def change_many() -> None:
    """Go on with changes to many keys."""
    work_off_changes()


@short.periodic_task(always)
def deliver_messages() -> None:
    """Deliver what the outbox holds."""
    deliver_due()


@short.periodic_task(always)
def end_rotated_keys() -> None:
    """End the keys that others have replaced, once their overlap is over."""
    rotation_end.end_due()


@short.periodic_task(always)
def work_off_deadlines() -> None:
    """Act on the rotations that members were asked for, once their deadline has passed."""
    requested_rotations.work_off_deadlines()


@long.periodic_task(always)
def prepare_exports() -> None:
    """Fetch and check the exports that members asked for."""
    preparing.prepare_due()


@short.periodic_task(always)
def advance_team_exports() -> None:
    """Go on with the export of all members, if an admin asked for one."""
    team_parts.advance_all()


@short.periodic_task(always)
def expire_exports() -> None:
    """Delete the prepared exports whose time is over."""
    preparing.expire_due()


@short.periodic_task(always)
def renew_console_keys() -> None:
    """Renew the keys that the console made for itself."""
    renew_due()


@long.periodic_task(always)
def compare_exports() -> None:
    """Compare the prepared exports that members named."""
    comparing.compare_due()


@short.periodic_task(always)
def schedule_exports() -> None:
    """Queue the exports that members want every week or month."""
    schedules.run_due()
