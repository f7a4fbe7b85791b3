"""Who is exporting an account right now: rows of the database, so that all machines agree.

Not in the cache: it may be away, or throw out what it has no room for, and two exports at once
are what makes Estuary build the whole document twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from keys.models import ExportLease


class LeaseTaken(Exception):
    """Another export of this account has not ended yet."""


def take(token_hash: str, seconds: float) -> ExportLease:
    """Take the lease of an account, after one that ran out if there is such; raises LeaseTaken."""
    with transaction.atomic():
        ExportLease.objects.filter(token_hash=token_hash, until__lte=timezone.now()).delete()
    try:
        with transaction.atomic():
            return ExportLease.objects.create(token_hash=token_hash, until=_in(seconds))
    except IntegrityError:
        raise LeaseTaken from None


def renew(lease: ExportLease, seconds: float) -> None:
    ExportLease.objects.filter(pk=lease.pk).update(until=_in(seconds))


def release(lease: ExportLease) -> None:
    """Give it back; that of somebody who took it over after it ran out stays theirs."""
    ExportLease.objects.filter(pk=lease.pk).delete()


def is_taken(token_hash: str) -> bool:
    return ExportLease.objects.filter(token_hash=token_hash, until__gt=timezone.now()).exists()


def _in(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)
