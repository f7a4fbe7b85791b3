"""Handing out the file of a prepared export: any part of it, in any form, and its manifest."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.storage.connections import release_connection
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.document import Malformed
from keys.exports.file_store import OpenFile, file_store
from keys.exports.forms_of_export import FORMS
from keys.exports.sealed_files import FileBroken, SealedReader, file_key
from keys.models import AuditEntry, PreparedExport

logger = logging.getLogger("estuary_admin.keys")

#: A reader that takes none of these in EXPORT_IDLE seconds takes nothing worth waiting for.
PIECE_BYTES = 64 * 1024
#: A download that goes on within this time has no further row in the audit.
SAME_DOWNLOAD = timedelta(hours=1)
_not_in_names = re.compile(r"[^\w.@+-]")


class NoFile(Exception):
    """The export has no file, or none that can be opened here."""


class StorageAway(Exception):
    """The storage of exports does not answer; the file may be there."""


class DeliveryBroken(Exception):
    """The rest of the file cannot be read: the connection must break, or the file looks whole."""


def opened(name: str) -> OpenFile:
    """A file of the store; raises NoFile or StorageAway."""
    try:
        return file_store().open(name)
    except FileNotFoundError:
        raise NoFile from None
    except OSError as error:
        logger.warning("export_storage_away", extra={"reason": error.strerror})
        raise StorageAway from None


@contextlib.contextmanager
def closed_on_failure(file: OpenFile | Delivery) -> Iterator[None]:
    """Close a file that turns out to be of no use; raises NoFile or StorageAway for its faults."""
    try:
        yield
    except FileBroken:
        file.close()
        raise NoFile from None
    except OSError as error:
        file.close()
        logger.warning("export_storage_away", extra={"reason": error.strerror})
        raise StorageAway from None
    except BaseException:
        file.close()
        raise


class Delivery:
    """An open file on its way to a reader: iterate it once, and close it in any case."""

    def __init__(self, file: OpenFile, pieces: Iterator[bytes]) -> None:
        self._file = file
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        release_connection()  # the download may take long
        for piece in self._read():
            for start in range(0, len(piece), PIECE_BYTES):
                yield piece[start : start + PIECE_BYTES]

    def _read(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except (OSError, FileBroken, Malformed, NoFile, StorageAway, SealBroken) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            logger.warning("export_delivery_broken", extra={"reason": reason})
            raise DeliveryBroken from None

    def close(self) -> None:
        self._file.close()


def deliver(
    actor: Actor, row: PreparedExport, form: str, start: int = 0, end: int | None = None
) -> Delivery:
    """Open the file, and record that its download begins.

    `start` and `end` are for the form "json" alone. Raises NoFile, StorageAway or SealBroken.
    """
    delivery = open_document(row, form, start, end)
    with closed_on_failure(delivery):
        _record(actor, row, form, start)
    return delivery


def open_document(
    row: PreparedExport, form: str, start: int = 0, end: int | None = None
) -> Delivery:
    """Open the file without handing it out; raises as `deliver` does."""
    if not row.has_file:
        raise NoFile
    file = opened(row.file_name)
    with closed_on_failure(file):
        reader = reader_of(file, row)
    make: Callable[..., Iterator[bytes]] | None = FORMS[form].make
    return Delivery(file, make(reader.pieces()) if make else reader.pieces(start, end))


def reader_of(file: OpenFile, row: PreparedExport) -> SealedReader:
    """The document in an open file; raises FileBroken, SealBroken or OSError."""
    reader = SealedReader(file, file_key(str(row.number), row.file_key))
    if reader.size != row.size:  # nothing but this tells when exports are not sealed
        raise FileBroken
    return reader


def _record(actor: Actor, row: PreparedExport, form: str, start: int) -> None:
    """Record the beginning: how much of the file its reader takes, only the reader knows."""
    detail: dict[str, str | int] = {"export": str(row.number), "form": form}
    if not start or not is_recorded(actor, Action.EXPORT_DOWNLOADED, detail):
        record_action(actor, Action.EXPORT_DOWNLOADED, Outcome.STARTED, detail=detail)


def is_recorded(actor: Actor, action: Action, detail: dict[str, str | int]) -> bool:
    """Whether the download that goes on has a row already."""
    facts = {f"detail__{name}": value for name, value in detail.items()}
    before = AuditEntry.objects.filter(
        actor=actor.member, action=action, at__gt=timezone.now() - SAME_DOWNLOAD, **facts
    )
    return before.exists()


def file_name(row: PreparedExport, form: str = "json") -> str:
    """By the member and the day, with a part of the number: a day may have two."""
    made = row.ended_at or row.created_at
    day = f"{made:%Y%m%d}-{row.number.hex[:6]}"
    # A name from single sign-on may hold characters that browsers and programs change.
    member = _not_in_names.sub("_", row.member.get_username())
    return f"estuary-export-{member}-{day}{FORMS[form].ending}"


def checksum_line(row: PreparedExport) -> str:
    """The checksum in the format that `sha256sum -c` reads."""
    return f"{row.sha256}  {file_name(row)}"


def manifest(row: PreparedExport) -> str:
    """The facts about the file, for its manifest in JSON."""
    facts: dict[str, Any] = {
        "export": str(row.number),
        "member": row.member.get_username(),
        "node": row.node,
        "requested_at": _moment(row.created_at),
        "started_at": _moment(row.started_at),
        "ready_at": _moment(row.ended_at),
        "kept_until": _moment(row.expires_at),
        "file": {"name": file_name(row), "bytes": row.size, "sha256": row.sha256},
        "contents": row.content_count,
        "deals": row.deal_count,
        "document": {"version": row.document_version, "date": row.document_date},
        "console_version": row.console_version,
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _moment(value: Any) -> str | None:
    return value.isoformat(timespec="seconds") if value else None
