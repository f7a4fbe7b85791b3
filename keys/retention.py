"""Deletes data that is older than its retention time."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.utils import timezone

from estuary_admin.storage.file_cache import FileCache
from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.exports.preparing import delete_strays
from keys.models import AuditEntry, BulkChange, ExportLease, Message, Reminded, Worker

logger = logging.getLogger("estuary_admin.keys")

WORKERS_KEPT_FOR = timedelta(days=1)
PREVIEWS_KEPT_FOR = timedelta(days=1)
CHANGES_KEPT_FOR = timedelta(days=30)
MESSAGES_KEPT_FOR = timedelta(days=30)
#: Longer than from the first threshold of a key to the last look at it.
REMINDED_KEPT_FOR = timedelta(days=90)


def prune_audit() -> int:
    """Delete entries older than AUDIT_DAYS and record that; returns their number.

    Records of creations stay: they say who made a key, and Estuary does not.
    """
    if not settings.AUDIT_DAYS:
        return 0
    chain.cut(chain.pruned_through())  # what a run that was killed has left
    newest = _newest_older_than(timedelta(days=settings.AUDIT_DAYS))
    if newest is None or newest.sequence is None:
        return 0
    through = newest.sequence
    removed = AuditEntry.objects.filter(sequence__lte=through).count()
    # First the anchor, then the cut: the chain can be proved at every moment.
    facts: dict[str, str | int] = {
        "entries": removed,
        "days": settings.AUDIT_DAYS,
        "through": through,
        "hash": newest.row_hash,
    }
    record_action(Actor.for_job("prune"), Action.AUDIT_PRUNED, detail=facts)
    chain.cut(through)
    return removed


def _newest_older_than(age: timedelta) -> AuditEntry | None:
    """The last row before the first young one; clocks may have been changed between rows."""
    rows = AuditEntry.objects.filter(sequence__isnull=False)
    first_young = rows.filter(at__gte=timezone.now() - age).order_by("sequence").first()
    if first_young:
        rows = rows.filter(sequence__lt=first_young.sequence)
    return rows.order_by("-sequence").first()


def prune_lists() -> None:
    """Delete expired key lists; those in Redis expire by themselves."""
    for cache in map(caches.__getitem__, settings.CACHES):
        if isinstance(cache, FileCache):
            cache.prune()


def prune_leases() -> int:
    """Delete the leases of exports whose process died; returns their number."""
    return ExportLease.objects.filter(until__lt=timezone.now()).delete()[0]


def prune_workers() -> int:
    """Delete the rows of workers that ended more than a day ago; returns their number."""
    return Worker.objects.filter(ended_at__lt=timezone.now() - WORKERS_KEPT_FOR).delete()[0]


def prune_changes() -> int:
    """Delete old changes to many keys with their items; returns the number of rows.

    Previews that were not confirmed go after a day. The audit keeps what was done.
    """
    now = timezone.now()
    previews = BulkChange.objects.filter(started_at=None, created_at__lt=now - PREVIEWS_KEPT_FOR)
    ended = BulkChange.objects.filter(ended_at__lt=now - CHANGES_KEPT_FOR)
    return previews.delete()[0] + ended.delete()[0]


def prune_messages() -> int:
    """Delete old messages that were sent, given up or dismissed, and old marks of reminders.

    Returns the number of rows. Notices that nobody has dismissed stay.
    """
    now = timezone.now()
    old = Message.objects.filter(due_at=None, created_at__lt=now - MESSAGES_KEPT_FOR)
    over = old.exclude(sent_at=None, failed_at=None, read_at=None)
    reminded = Reminded.objects.filter(at__lt=now - REMINDED_KEPT_FOR)
    return over.delete()[0] + reminded.delete()[0]


def prune_all() -> int:
    """Delete everything that is too old; returns the number of audit entries among it."""
    call_command("clearsessions")
    prune_leases()
    prune_workers()
    prune_changes()
    prune_messages()
    prune_lists()
    delete_strays()
    removed = prune_audit()
    # Once a day in the log: a rewrite of the whole chain shows against it.
    logger.info("audit_head", extra={"head": chain.current_head()})
    return removed
