"""Deletes data that is older than its retention time."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from estuary_admin.storage.file_cache import FileCache
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, ExportLease

ROWS_PER_TRANSACTION = 500  # keeps SQLite's write lock short


def prune_audit() -> int:
    """Delete entries older than AUDIT_DAYS and record that; returns their number.

    Records of creations stay: they say who made a key, and Estuary does not.
    """
    if not settings.AUDIT_DAYS:
        return 0
    old = AuditEntry.objects.filter(at__lt=timezone.now() - timedelta(days=settings.AUDIT_DAYS))
    removed = 0
    while numbers := list(old.order_by().values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        removed += AuditEntry.objects.filter(pk__in=numbers).delete()[0]
    if removed:
        facts = {"entries": removed, "days": settings.AUDIT_DAYS}
        record_action(Actor.for_job("prune"), Action.AUDIT_PRUNED, detail=facts)
    return removed


def prune_lists() -> None:
    """Delete expired key lists; those in Redis expire by themselves."""
    for cache in map(caches.__getitem__, settings.CACHES):
        if isinstance(cache, FileCache):
            cache.prune()


def prune_leases() -> int:
    """Delete the leases of exports whose process died; returns their number."""
    return ExportLease.objects.filter(until__lt=timezone.now()).delete()[0]
