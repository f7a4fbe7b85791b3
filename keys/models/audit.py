"""One row for each act, done or refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from keys.audit.vocabulary import Outcome
from keys.upstream import fingerprint_of


class AppendOnly(Exception):
    """Audit rows are written once; only `prune` removes them, from the oldest on."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


class AppendOnlyQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly


AppendOnlyManager = models.Manager.from_queryset(AppendOnlyQuerySet)


class AuditEntry(models.Model):
    """One row of the audit: an action with its actor, member, key, address and outcome."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    # Without choices: a newer version may have written an action that this one does not know.
    action = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10, choices=Outcome)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    # Names are kept beside the links: a row must name the member after the member is deleted.
    actor_name = models.CharField(max_length=150, blank=True)
    # The default is in the database too: the version before this column goes on writing rows.
    job = models.CharField(max_length=40, blank=True, default="", db_default="")
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    on_behalf_of_name = models.CharField(max_length=150, blank=True)
    token_hash = models.CharField(max_length=43, blank=True, db_index=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)
    # The place in the chain (see keys/audit/chain.py); null when an older version wrote the row.
    sequence = models.BigIntegerField(null=True, unique=True, editable=False)
    row_hash = models.CharField(max_length=64, blank=True, default="", db_default="")

    objects = AppendOnlyManager()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.token_hash)

    @property
    def moment(self) -> datetime | None:
        """`at`; None when SQLite holds a value that is not a date and time."""
        return self.at or None

    @property
    def facts(self) -> dict[str, Any]:
        """`detail`; other JSON than an object, written from outside, under the name `detail`."""
        return self.detail if isinstance(self.detail, dict) else {"detail": self.detail}


class AuditHead(models.Model):
    """The newest link of the chain: one row, whose lock puts concurrent writers in order."""

    SINGLE = 1  # its primary key

    sequence = models.BigIntegerField(default=0)
    row_hash = models.CharField(max_length=64, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.sequence}:{self.row_hash}"
