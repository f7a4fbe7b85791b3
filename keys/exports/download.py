"""Data exports: one at a time per account, streamed, counted, hashed; complete or failed."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone

from estuary_admin.storage.connections import release_connection
from keys import metrics
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports import leases
from keys.models import ExportLease, StoredToken
from keys.token.stored_tokens import client_for
from keys.upstream import Export, UpstreamError

logger = logging.getLogger("estuary_admin.keys")

LEASE = 120  # seconds; a process that dies frees the account after these
RENEWAL = 30  # seconds between renewals of the lease


class Download:
    """An opened export on its way to the browser: iterate it, and close it whatever happens."""

    def __init__(self, export: Export, lease: ExportLease, actor: Actor, for_member: User) -> None:
        self.filename = f"estuary-export-{for_member.get_username()}-{timezone.now():%Y%m%d}.json"
        self._export = export
        self._actor = actor
        self._lease = lease
        self._for_member = for_member
        self._ended = False
        self._size = 0
        self._digest = hashlib.sha256()
        metrics.EXPORTS_RUNNING.inc()

    def __iter__(self) -> Iterator[bytes]:
        renewed = time.monotonic()
        release_connection()  # the download may take long
        try:
            for chunk in self._export:
                self._digest.update(chunk)
                self._size += len(chunk)
                metrics.EXPORT_BYTES.inc(len(chunk))
                if time.monotonic() - renewed > RENEWAL:
                    _renew(self._lease)
                    release_connection()
                    renewed = time.monotonic()
                yield chunk
        except UpstreamError as error:
            # Goes on up: the server then breaks the connection, and no browser calls it complete.
            self._end(Action.EXPORT_FAILED, Outcome.FAILED, error.code)
            raise
        self._end(Action.EXPORT_FINISHED, Outcome.DONE)

    def close(self) -> None:
        """End it; if it was not read to its end, the browser left."""
        self._export.close()
        self._end(Action.EXPORT_FAILED, Outcome.FAILED, "left")

    def _end(self, action: Action, outcome: Outcome, reason: str = "") -> None:
        if self._ended:
            return
        self._ended = True
        metrics.EXPORTS_RUNNING.dec()
        metrics.EXPORTS.labels(reason or "done").inc()
        leases.release(self._lease)
        facts: dict[str, str | int] = {"bytes": self._size}
        if outcome is Outcome.DONE:
            facts["sha256"] = self._digest.hexdigest()
        if reason:
            facts["reason"] = reason
        _record(self._actor, self._for_member, action, outcome, facts)


def open_download(actor: Actor, stored: StoredToken) -> Download:
    """Start an export of the account behind a stored token, the actor's own or another member's.

    Waits for Estuary's first byte (it builds the whole document first), so that a failure can
    still be a page. Raises LeaseTaken, SealBroken or UpstreamError.
    """
    lease = leases.take(stored.token_hash, settings.ESTUARY_EXPORT_TIMEOUT + LEASE)
    try:
        _record(actor, stored.member, Action.EXPORT_STARTED, Outcome.STARTED)
        client = client_for(stored, actor)
        release_connection()  # Estuary may think for a quarter of an hour
        export = client.open_export(settings.ESTUARY_EXPORT_TIMEOUT)
    except BaseException as error:
        leases.release(lease)
        reason = error.code if isinstance(error, UpstreamError) else "internal"
        metrics.EXPORTS.labels(reason).inc()
        _record(actor, stored.member, Action.EXPORT_FAILED, Outcome.FAILED, {"reason": reason})
        raise
    _renew(lease)
    return Download(export, lease, actor, stored.member)


def is_running(stored: StoredToken) -> bool:
    """Whether an export of this account has not ended yet."""
    return leases.is_taken(stored.token_hash)


def _renew(lease: ExportLease) -> None:
    """Lengthen it; that a second export might begin is no reason to break this one off."""
    try:
        leases.renew(lease, LEASE)
    except DatabaseError:
        logger.exception("export_lease_not_renewed")


def _record(
    actor: Actor,
    member: User,
    action: Action,
    outcome: Outcome,
    facts: Mapping[str, str | int] | None = None,
) -> None:
    other = member if member != actor.member else None
    record_action(actor, action, outcome, on_behalf_of=other, detail=facts)
