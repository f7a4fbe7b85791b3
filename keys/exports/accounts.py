"""Which account an export is of: that of the token whose hash its row holds."""

from __future__ import annotations

import contextlib

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from keys.models import ExportLease, PreparedExport, StoredToken


def follow_token(member: User, old_hash: str, new_hash: str) -> None:
    """Keep a member's exports with their account when the console uses another token of it.

    Call it in the transaction that stores the token. The exports of other members who connected
    the same token stay with that one, since they go on with it.
    """
    rows = PreparedExport.objects.filter(member=member, token_hash=old_hash)
    unfinished = rows.filter(state__in=PreparedExport.UNFINISHED)
    rows.exclude(state__in=PreparedExport.UNFINISHED).update(token_hash=new_hash)
    _move(unfinished, new_hash)
    others = StoredToken.objects.exclude(member=member).filter(token_hash=OuterRef("token_hash"))
    _move(ExportLease.objects.filter(token_hash=old_hash).exclude(Exists(others)), new_hash)


def _move(rows: QuerySet[PreparedExport] | QuerySet[ExportLease], new_hash: str) -> None:
    """An account has one of these at most: somebody may have connected the new token already."""
    with contextlib.suppress(IntegrityError), transaction.atomic():
        rows.update(token_hash=new_hash)
