"""Leases on exports: rows of the database, so that all machines agree on who exports an account.

Not in the cache: it may be away, or throw out what it has no room for, and two exports at once
make Estuary build the whole document twice.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from keys.actors import Actor
from keys.models import ExportLease, StoredToken

LEASE_SECONDS = 30  # a process that dies frees the account after these


class LeaseTaken(Exception):
    """Another export of this account has not ended yet."""


def take(actor: Actor, token_hash: str) -> ExportLease:
    """Take the lease of an account, also after one that expired; raises LeaseTaken."""
    with transaction.atomic():
        ExportLease.objects.filter(token_hash=token_hash, until__lte=timezone.now()).delete()
    try:
        with transaction.atomic():
            return ExportLease.objects.create(
                token_hash=token_hash,
                until=_lease_end(),
                started_by=actor.member,
                started_at=timezone.now(),
            )
    except IntegrityError:
        raise LeaseTaken from None


def renew(numbers: Collection[int]) -> set[int]:
    """Lengthen these leases; returns those that somebody asked to stop."""
    held = ExportLease.objects.filter(pk__in=numbers)
    held.update(until=_lease_end())
    return set(held.filter(stop_requested=True).values_list("pk", flat=True))


def release(lease: ExportLease) -> None:
    """Give it back; one that was taken over after it expired stays with its new holder."""
    release_number(lease.pk)


def release_number(number: int) -> None:
    """Give back the lease with this primary key; does nothing when it is gone."""
    ExportLease.objects.filter(pk=number).delete()


def is_taken(token_hash: str) -> bool:
    """Whether an export of the account of this token is running on any machine."""
    return ExportLease.objects.filter(token_hash=token_hash, until__gt=timezone.now()).exists()


def stoppable_by(member: User) -> QuerySet[ExportLease]:
    """The running exports that a member started, or that are of the member's own account."""
    own = StoredToken.objects.filter(member=member).values("token_hash")
    running = ExportLease.objects.filter(until__gt=timezone.now()).select_related("started_by")
    return running.filter(Q(started_by=member) | Q(token_hash__in=own)).order_by("pk")


def ask_to_stop(lease: ExportLease) -> None:
    """The process that holds the lease sees this when it renews it next."""
    ExportLease.objects.filter(pk=lease.pk).update(stop_requested=True)


def _lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)
