"""Data exports: one at a time per account, streamed, counted, hashed; complete or failed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from keys.actors import Actor
from keys.models import StoredToken
from keys.services import audit
from keys.services.audit import Action, Outcome
from keys.services.stored_tokens import client_for
from keys.upstream import Export, UpstreamError

LEASE = 120  # seconds; a process that dies frees the account after these
RENEWAL = 30  # seconds between renewals of the lease


class ExportRunning(Exception):
    """Another export of this account has not ended yet."""


class Download:
    """An opened export on its way to the browser: iterate it, and close it whatever happens."""

    def __init__(self, export: Export, actor: Actor, stored: StoredToken, for_member: User) -> None:
        self.filename = f"estuary-export-{for_member.get_username()}-{timezone.now():%Y%m%d}.json"
        self._export = export
        self._actor = actor
        self._stored = stored
        self._for_member = for_member
        self._ended = False
        self._size = 0
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        renewed = time.monotonic()
        try:
            for chunk in self._export:
                self._digest.update(chunk)
                self._size += len(chunk)
                if time.monotonic() - renewed > RENEWAL:
                    cache.touch(_lease(self._stored), LEASE)
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
        cache.delete(_lease(self._stored))
        facts: dict[str, str | int] = {"bytes": self._size}
        if outcome is Outcome.DONE:
            facts["sha256"] = self._digest.hexdigest()
        if reason:
            facts["reason"] = reason
        _record(self._actor, self._for_member, action, outcome, facts)


def open_download(actor: Actor, stored: StoredToken) -> Download:
    """Start an export of the account behind a stored token, the actor's own or another member's.

    Waits for Estuary's first byte (it builds the whole document first), so that a failure can
    still be a page. Raises ExportRunning, SealBroken or UpstreamError.
    """
    lease = _lease(stored)
    if not cache.add(lease, "running", settings.ESTUARY_EXPORT_TIMEOUT + LEASE):
        raise ExportRunning
    try:
        _record(actor, stored.member, Action.EXPORT_STARTED, Outcome.STARTED)
        export = client_for(stored, actor).open_export(settings.ESTUARY_EXPORT_TIMEOUT)
    except BaseException as error:
        cache.delete(lease)
        reason = error.code if isinstance(error, UpstreamError) else "internal"
        _record(actor, stored.member, Action.EXPORT_FAILED, Outcome.FAILED, {"reason": reason})
        raise
    cache.touch(lease, LEASE)
    return Download(export, actor, stored, stored.member)


def is_running(stored: StoredToken) -> bool:
    """Whether an export of this account has not ended yet."""
    return cache.get(_lease(stored)) is not None


def _record(
    actor: Actor,
    member: User,
    action: Action,
    outcome: Outcome,
    facts: Mapping[str, str | int] | None = None,
) -> None:
    other = member if member != actor.member else None
    audit.record(actor, action, outcome, on_behalf_of=other, detail=facts)


def _lease(stored: StoredToken) -> str:
    # By the token's hash: two members who connected the same key share one account.
    return f"export:{stored.token_hash}"
