"""What is thrown away by age, and what stays."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from estuary_admin.storage.file_cache import QuickFileCache
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, ExportLease

AT_ONCE = 500  # rows in one transaction: nobody waits long for SQLite's only write lock


def prune_audit() -> int:
    """Remove entries older than AUDIT_DAYS, and leave one that says so; returns how many.

    Records of creations stay: they are what is known of a key, for as long as it lives.
    """
    if not settings.AUDIT_DAYS:
        return 0
    old = AuditEntry.objects.filter(at__lt=timezone.now() - timedelta(days=settings.AUDIT_DAYS))
    removed = 0
    while numbers := list(old.order_by().values_list("pk", flat=True)[:AT_ONCE]):
        removed += AuditEntry.objects.filter(pk__in=numbers).delete()[0]
    if removed:
        facts = {"entries": removed, "days": settings.AUDIT_DAYS}
        record_action(Actor.for_job("prune"), Action.AUDIT_PRUNED, detail=facts)
    return removed


def prune_lists() -> None:
    """Remove kept lists whose day is over; those in Redis go by themselves."""
    for cache in map(caches.__getitem__, settings.CACHES):
        if isinstance(cache, QuickFileCache):
            cache.prune()


def prune_leases() -> int:
    """Remove those of exports whose process died; returns how many."""
    return ExportLease.objects.filter(until__lt=timezone.now()).delete()[0]
