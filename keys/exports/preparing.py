"""The worker's side of prepared exports: fetch, check, keep, and delete when their time is over.

Estuary is asked once: each try makes it build the whole document, so that what failed is told and
not repeated. Only a try that was cut short here, by a restart or a lost database, is made again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from estuary_admin import VERSION
from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.storage.connections import release_connection
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports import leases, team_parts
from keys.exports.comparing import end_comparisons
from keys.exports.document import Document, Malformed
from keys.exports.file_store import OWN_NAME, FileStore, delete_or_leave, file_store
from keys.exports.forms_of_export import count_records
from keys.exports.leases import LeaseTaken
from keys.exports.messages import failed_message, ready_message
from keys.exports.progress import Cancelled, Progress, ShuttingDown
from keys.exports.room import NoRoom, Room
from keys.exports.running import RunningExport, open_export, watch
from keys.exports.sealed_files import (
    FileBroken,
    SealedReader,
    SealedWriter,
    file_key,
    new_file_key,
)
from keys.jobs import claims
from keys.models import ExportComparison, PreparedExport, StoredToken
from keys.notices.outbox import enqueue
from keys.stats.services import current_stats
from keys.token.stored_tokens import client_for
from keys.upstream import Export, UnexpectedReply, UpstreamError

logger = logging.getLogger("estuary_admin.keys")

State = PreparedExport.State
MAX_TRIES = 5
ACCOUNT_IS_BUSY_WAIT = timedelta(seconds=10)
#: Of one content with one deal, as measured at Estuary.
BYTES_PER_PIN = 1240
#: A file that no row names may be one that is being begun.
STRAY_SECONDS = 3600
#: At least one thread of the long queue is left to other work.
_places = threading.Semaphore(max(1, settings.WORKER_LONG_THREADS - 1))


class PreparationFailed(Exception):
    """It cannot be prepared: a code for the audit, a sentence for people."""

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason = reason
        self.sentence = sentence
        super().__init__(sentence)


def prepare_due() -> None:
    """Prepare every export that is due, unless enough are being prepared in this process."""
    if not _places.acquire(blocking=False):
        return
    try:
        rows = PreparedExport.objects.filter(state__in=PreparedExport.UNFINISHED)
        claims.work_off(rows.select_related("member"), _prepare_and_go_on)
    finally:
        _places.release()


def expire_due() -> None:
    """Delete the files whose time is over."""
    claims.work_off(PreparedExport.objects.filter(state=State.READY), _expire)


def delete_strays() -> int:
    """Delete files that no row needs: of rows that are gone or have ended, and of tries that were
    cut short; returns how many."""
    store, count = file_store(), 0
    try:
        # The names first: a file that is begun meanwhile must not look as if it had no row.
        names = list(store.names())
    except OSError as error:  # tomorrow is early enough
        logger.warning("export_strays_not_deleted", extra={"reason": error.strerror})
        return 0
    needed = _needed_files()
    for name, written_at in names:
        is_ours = OWN_NAME.fullmatch(name) and name not in needed
        if is_ours and time.time() - written_at > STRAY_SECONDS:
            count += delete_or_leave(store, name)
    return count


def _needed_files() -> set[str]:
    """The names of the files that are being written, or may be downloaded."""
    exports = PreparedExport.objects.filter(state__in=[*PreparedExport.UNFINISHED, State.READY])
    lists = ExportComparison.objects.exclude(state=ExportComparison.State.FAILED)
    return {
        *exports.values_list("file_name", flat=True),
        *lists.values_list("file_name", flat=True),
    }


def _prepare_and_go_on(row: PreparedExport) -> None:
    _prepare(row)
    if row.team_export_id and row.is_final:
        team_parts.advance(row.team_export_id)


def _prepare(row: PreparedExport) -> None:
    actor = Actor.for_job("export", row.member)
    try:
        _confirm_wanted(row)
        if row.state != State.VERIFYING:  # then the file is complete already
            _fetch(row, actor)
        _verify(row, actor)
    except Cancelled:
        _end(row, actor, State.CANCELLED, "cancelled", "You cancelled it.")
    except ShuttingDown:
        state = State.VERIFYING if row.state == State.VERIFYING else State.QUEUED
        claims.conclude(row, again_at=timezone.now(), state=state)
    except LeaseTaken:
        again_at = timezone.now() + ACCOUNT_IS_BUSY_WAIT
        claims.conclude(row, again_at=again_at, state=State.QUEUED)
    except (PreparationFailed, NoRoom) as error:
        _end(row, actor, State.FAILED, error.reason, error.sentence)
    except UpstreamError as error:
        if error.is_about_token and _has_other_token(row):
            claims.conclude(row, again_at=timezone.now(), state=State.QUEUED)
        else:
            _end(row, actor, State.FAILED, error.code, error.sentence)


def _has_other_token(row: PreparedExport) -> bool:
    """Whether the console has changed over to another token of the account during this try."""
    return not PreparedExport.objects.filter(pk=row.pk, token_hash=row.token_hash).exists()


def _confirm_wanted(row: PreparedExport) -> None:
    if row.cancel_requested:
        raise Cancelled


def _fetch(row: PreparedExport, actor: Actor) -> None:
    """Store what Estuary answers; the row's state is then VERIFYING."""
    if row.tries >= MAX_TRIES:
        sentence = "This console was restarted too often meanwhile. Prepare it again."
        raise PreparationFailed("interrupted", sentence)
    # Not the row's as it was claimed: the console may have changed over to another token since.
    account = PreparedExport.objects.filter(pk=row.pk).values("token_hash")
    stored = StoredToken.objects.filter(member=row.member, token_hash__in=account).first()
    if stored is None:
        sentence = "The key of this account is no longer connected. Connect it again."
        raise PreparationFailed("disconnected", sentence)
    stored.member, row.token_hash = row.member, stored.token_hash
    if row.lease_number:  # its worker is dead: nobody else may claim the row
        leases.release_number(row.lease_number)
    running = RunningExport(leases.take(actor, row.token_hash))
    watch.add(running)
    try:
        _fetch_under_lease(row, actor, stored, Progress(row, running))
    except SealBroken:
        sentence = "The connected key cannot be read. Connect it again."
        raise PreparationFailed("seal", sentence) from None
    finally:
        watch.remove(running)
        leases.release(running.lease)


def _fetch_under_lease(
    row: PreparedExport, actor: Actor, stored: StoredToken, progress: Progress
) -> None:
    client, store = client_for(stored, actor), file_store()
    expected = _expected_size(row, actor, stored)
    room = Room(store, row.token_hash, expected, is_team_part=row.team_export_id is not None)
    if row.file_name:  # of a try that was cut short
        delete_or_leave(store, row.file_name)
    key, sealed = new_file_key(str(row.number)) if settings.EXPORT_SEALED else (None, "")
    progress.save(
        state=State.RUNNING,
        lease_number=progress.lease_number,
        tries=row.tries + 1,
        file_name=f"{row.number.hex}-{row.tries + 1}",
        file_key=sealed,
        expected_size=expected,
        started_at=timezone.now(),
        first_byte_at=None,
        size=0,
    )
    release_connection()  # Estuary may take a quarter of an hour
    with open_export(client, progress.check) as export:
        progress.save(first_byte_at=timezone.now())
        facts = _store(export, store, key, progress, room)
    progress.save(state=State.VERIFYING, **facts)


def _expected_size(row: PreparedExport, actor: Actor, stored: StoredToken) -> int:
    """That of the last export of the account, or a guess from its pins; 0 when there is neither."""
    before = PreparedExport.objects.filter(token_hash=row.token_hash).exclude(sha256="")
    if last := before.exclude(pk=row.pk).order_by("-created_at").first():
        return last.size
    try:
        return current_stats(stored, actor).pin_count * BYTES_PER_PIN
    except UpstreamError:
        return 0


def _store(
    export: Export, store: FileStore, key: bytes | None, progress: Progress, room: Room
) -> dict[str, Any]:
    """Write the document into its file, hashed on the way; leaves no file when it fails."""
    name, digest = progress.row.file_name, hashlib.sha256()
    with _storage_trouble():
        file = store.create(name)
    try:
        writer = SealedWriter(file, key)
        for chunk in export:
            digest.update(chunk)
            with _storage_trouble():
                writer.write(chunk)
            progress.tell(writer.size)
            room.written(writer.stored_size)
        with _storage_trouble():
            writer.finish()
            store.keep(file)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        delete_or_leave(store, name)
        raise
    return {
        "size": writer.size,
        "stored_size": writer.stored_size,
        "sha256": digest.hexdigest(),
    }


@contextlib.contextmanager
def _storage_trouble() -> Iterator[None]:
    """Distinguish a full or failing disk from trouble with Estuary."""
    try:
        yield
    except OSError as error:
        logger.warning("export_not_stored", extra={"reason": error.strerror})
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoRoom("disk-full") from error
        sentence = "The file could not be written. Tell the operator of this console."
        raise PreparationFailed("storage", sentence) from error


def _verify(row: PreparedExport, actor: Actor) -> None:
    """Read the file back: it is ready only when it holds Estuary's bytes, and these an export."""
    progress = Progress(row)
    try:
        facts = _checked_file(row, progress)
    except Malformed as error:
        raise UnexpectedReply("cut" if error.problem == "cut" else "shape") from None
    except (FileBroken, SealBroken, FileNotFoundError) as error:
        logger.warning("export_file_broken", extra={"reason": type(error).__name__})
        sentence = "What was stored is not what Estuary sent. Prepare it again."
        raise PreparationFailed("storage", sentence) from None
    except OSError as error:
        logger.warning("export_file_not_read", extra={"reason": error.strerror})
        sentence = "The file could not be read back to check it. Tell the operator of this console."
        raise PreparationFailed("storage", sentence) from None
    now = timezone.now()
    facts |= {"ended_at": now, "expires_at": now + timedelta(days=settings.EXPORT_DAYS)}
    with transaction.atomic():
        # A small file is read faster than `progress` looks.
        if PreparedExport.objects.filter(pk=row.pk, cancel_requested=True).exists():
            raise Cancelled
        claims.conclude(row, again_at=facts["expires_at"], state=State.READY, **facts)
        detail: dict[str, str | int] = {
            "export": str(row.number),
            "bytes": row.size,
            "sha256": row.sha256,
            "contents": row.content_count,
            "deals": row.deal_count,
        }
        record_action(actor, Action.EXPORT_PREPARED, detail=detail)
        if row.team_export_id is None:
            enqueue(row.member, ready_message(row))


def _checked_file(row: PreparedExport, progress: Progress) -> dict[str, Any]:
    """The facts that the document holds; raises FileBroken, Malformed, SealBroken or OSError."""
    counts, digest, crc32 = {"Contents": 0, "Deals": 0}, hashlib.sha256(), 0

    def hashed(pieces: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal crc32
        for piece in pieces:
            digest.update(piece)
            if row.team_export_id:
                crc32 = zlib.crc32(piece, crc32)
            progress.check()
            yield piece

    with file_store().open(row.file_name) as file:
        reader = SealedReader(file, file_key(str(row.number), row.file_key))
        document = Document(hashed(reader.pieces()), dict.fromkeys(counts, count_records))
        for name, block in document:
            counts[name] += len(block)
    if (reader.size, digest.hexdigest()) != (row.size, row.sha256):
        raise FileBroken
    return {
        "content_count": counts["Contents"],
        "deal_count": counts["Deals"],
        "document_version": document.version[:40],
        "document_date": document.date[:40],
        "console_version": VERSION,
        "crc32": crc32,
    }


def _end(row: PreparedExport, actor: Actor, state: str, reason: str, sentence: str) -> None:
    """Delete the file, then record why the export has no file."""
    if row.file_name:
        delete_or_leave(file_store(), row.file_name)
    detail: dict[str, str | int] = {"export": str(row.number), "reason": reason}
    ended: dict[str, Any] = {"ended_at": timezone.now(), "file_key": "", "sha256": ""}
    with transaction.atomic():
        claims.conclude(row, state=state, reason=reason, sentence=sentence, **ended)
        if state == State.FAILED:
            failed = Action.EXPORT_PREPARE_FAILED
            record_action(actor, failed, Outcome.FAILED, detail=detail)
            if row.team_export_id is None:
                enqueue(row.member, failed_message(row))
        else:
            record_action(actor, Action.EXPORT_PREPARE_CANCELLED, detail=detail)


def _expire(row: PreparedExport) -> None:
    store = file_store()
    store.delete(row.file_name)
    with transaction.atomic():
        claims.conclude(row, state=State.EXPIRED, file_key="")
        lists = end_comparisons(row)
        detail = {"export": str(row.number)}
        actor = Actor.for_job("export", row.member)
        record_action(actor, Action.EXPORT_EXPIRED, detail=detail)
    for name in lists:
        delete_or_leave(store, name)
