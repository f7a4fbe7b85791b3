"""Data exports: one at a time per account, streamed, counted, hashed; complete or failed."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping

from django.contrib.auth.models import User
from django.utils import timezone

from estuary_admin.storage.connections import release_connection, write_surely
from keys import metrics
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports import leases
from keys.exports.running import SHUTDOWN, STALLED, STOPPED, RunningExport, open_export, watch
from keys.models import ExportLease, StoredToken
from keys.token.stored_tokens import client_for
from keys.upstream import EstuaryClient, Export, UpstreamError

logger = logging.getLogger("estuary_admin.keys")

#: A reader that takes none of these in EXPORT_IDLE seconds takes nothing worth waiting for.
PIECE_BYTES = 64 * 1024

SENTENCES = {
    STOPPED: "The export was stopped.",
    STALLED: "The export was broken off, because its reader took nothing for too long.",
    SHUTDOWN: "This console is restarting, so the export was broken off. Start it again.",
}


class ExportInterrupted(Exception):
    """An export was ended by its owner, by its reader's silence, or by a restart."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.sentence = SENTENCES[reason]
        super().__init__(self.sentence)


class Download:
    """An export on its way to the browser: `open` it, iterate it, and close it in any case.

    `cut` breaks the connection to a browser that does not read.
    """

    def __init__(
        self, lease: ExportLease, actor: Actor, for_member: User, cut: Callable[[], None]
    ) -> None:
        self.filename = f"estuary-export-{for_member.get_username()}-{timezone.now():%Y%m%d}.json"
        self._export: Export | None = None
        self._actor = actor
        self._for_member = for_member
        self._cut = cut
        self._running = RunningExport(lease)
        self._running.interrupted = self._interrupted
        self._ending = threading.Lock()
        self._has_ended = False
        self._size = 0
        self._digest = hashlib.sha256()

    def open(self, client: EstuaryClient) -> None:
        """Wait for Estuary's first byte; raises UpstreamError or ExportInterrupted."""
        watch.add(self._running)
        self._export = open_export(client, self._check)
        metrics.EXPORTS_RUNNING.inc()

    def _check(self) -> None:
        if self._running.reason:
            raise ExportInterrupted(self._running.reason)

    def __iter__(self) -> Iterator[bytes]:
        release_connection()  # the download may take long
        try:
            for chunk in self._export or ():
                self._digest.update(chunk)
                self._size += len(chunk)
                metrics.EXPORT_BYTES.inc(len(chunk))
                yield from self._given_in_pieces(chunk)
        except UpstreamError as error:
            # Passed on: the server then breaks the connection, and no browser calls it complete.
            self.end(Action.EXPORT_FAILED, Outcome.FAILED, error.code)
            raise
        self.end(Action.EXPORT_FINISHED, Outcome.DONE)

    def _given_in_pieces(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), PIECE_BYTES):
            self._check()
            self._running.piece_given()
            yield chunk[start : start + PIECE_BYTES]
            self._running.piece_taken()

    def close(self) -> None:
        """End it; if it was not read to its end, the browser left."""
        if self._export:
            self._export.close()
        self.end(Action.EXPORT_FAILED, Outcome.FAILED, "left")

    def _interrupted(self, reason: str) -> None:
        """Called by the watching thread: this thread may be blocked by its reader or by Estuary."""
        if reason == STOPPED:
            self.end(Action.EXPORT_CANCELLED, Outcome.DONE, reason)
        else:
            self.end(Action.EXPORT_FAILED, Outcome.FAILED, reason)
        if self._export:  # before that the browser is still promised a page
            self._cut()

    def end(self, action: Action, outcome: Outcome, reason: str = "") -> None:
        """Release the lease and record the end, once."""
        with self._ending:
            if self._has_ended:
                return
            self._has_ended = True
        watch.remove(self._running)
        if self._export:
            metrics.EXPORTS_RUNNING.dec()
        metrics.EXPORTS.labels(reason or "done").inc()
        facts: dict[str, str | int] = {"bytes": self._size} if self._export else {}
        if outcome is Outcome.DONE and not reason:
            facts["sha256"] = self._digest.hexdigest()
        if reason:
            facts["reason"] = reason
        write_surely(
            lambda: _record(self._actor, self._for_member, action, outcome, facts),
            "export_end_not_recorded",
        )
        write_surely(lambda: leases.release(self._running.lease), "export_lease_not_released")


def open_download(
    actor: Actor, stored: StoredToken, cut: Callable[[], None] = lambda: None
) -> Download:
    """Start an export of the account behind a stored token, the actor's own or another member's.

    Waits for Estuary's first byte (it builds the whole document first), so that a failure can
    still be a page. Raises LeaseTaken, SealBroken, UpstreamError or ExportInterrupted.
    """
    download = Download(leases.take(actor, stored.token_hash), actor, stored.member, cut)
    try:
        _record(actor, stored.member, Action.EXPORT_STARTED, Outcome.STARTED)
        client = client_for(stored, actor)
        release_connection()  # Estuary may take a quarter of an hour
        download.open(client)
    except BaseException as error:
        reason = error.code if isinstance(error, UpstreamError) else "internal"
        download.end(Action.EXPORT_FAILED, Outcome.FAILED, reason)
        raise
    return download


def request_stop(actor: Actor, lease: ExportLease) -> None:
    """Ask the process that holds the lease to stop its export."""
    # The record first: the export may end, and be recorded, as soon as it is asked to.
    record_action(actor, Action.EXPORT_STOP_REQUESTED, Outcome.STARTED, token_hash=lease.token_hash)
    leases.ask_to_stop(lease)


def is_running(stored: StoredToken) -> bool:
    """Whether an export of this account has not ended yet."""
    return leases.is_taken(stored.token_hash)


def _record(
    actor: Actor,
    member: User,
    action: Action,
    outcome: Outcome,
    facts: Mapping[str, str | int] | None = None,
) -> None:
    other = member if member != actor.member else None
    record_action(actor, action, outcome, on_behalf_of=other, detail=facts)
