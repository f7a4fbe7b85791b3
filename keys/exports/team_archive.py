"""The archive of a team export: a ZIP that is made while it is sent, from any byte on.

The members' documents are stored in it as they are, so that every place in the archive is known
before it is read: it has a length, and a download of it can be resumed. All sizes are in ZIP64
fields (APPNOTE.TXT 4.5.3).
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User

from keys.exports.delivery import closed_on_failure, file_name, opened, reader_of
from keys.models import PreparedExport, TeamExport, TeamExportPart

VERSION = 45  # the first with ZIP64
UTF_8 = 0x0800
IN_ZIP64 = 0xFFFFFFFF
PRIVATE_FILE = 0o100600 << 16
_local = struct.Struct("<4s5H3I2H2H2Q")
_central = struct.Struct("<4s6H3I5H2I2H3Q")
_ends = struct.Struct("<4sQ2H2I4Q4sIQI4s4H2IH")

Pieces = Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive; `pieces` reads it from one byte up to another."""

    name: str
    size: int
    crc32: int
    pieces: Pieces


class Archive:
    """A team export that is ready."""

    def __init__(self, row: TeamExport, parts: list[TeamExportPart]) -> None:
        self._row = row
        self._parts = parts
        self._ready = [(part, part.export) for part in parts if part.has_file and part.export]

    @property
    def file_name(self) -> str:
        made = self._row.ended_at or self._row.created_at
        return f"estuary-team-export-{made:%Y%m%d}-{self._row.number.hex[:6]}.zip"

    @cached_property
    def etag(self) -> str:
        """The manifest holds the hash of every file: another archive has another one."""
        return f'"{hashlib.sha256(self.manifest).hexdigest()}"'

    @property
    def version(self) -> str:
        """The start of the ETag, for the address of a download: it is resumed by that address."""
        return self.etag[1:17]

    def members(self) -> list[User]:
        return [export.member for _, export in self._ready]

    def confirm_files(self) -> None:
        """Look whether each file can be opened; raises NoFile, StorageAway or SealBroken."""
        for _, export in self._ready:
            file = opened(export.file_name)
            with closed_on_failure(file):
                reader_of(file, export)
            file.close()

    @cached_property
    def manifest(self) -> bytes:
        exported = {part.pk: export for part, export in self._ready}
        facts: dict[str, Any] = {
            "team_export": str(self._row.number),
            "node": self._row.node,
            "requested_by": self._row.requested_by_name,
            "requested_at": _moment(self._row.created_at),
            "ready_at": _moment(self._row.ended_at),
            "kept_until": _moment(self._row.expires_at),
            "members": [_facts(part, exported.get(part.pk)) for part in self._parts],
        }
        return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()

    @cached_property
    def _entries(self) -> list[Entry]:
        text = self.manifest
        first = Entry("manifest.json", len(text), zlib.crc32(text), _of_bytes(text))
        return [first, *(_entry(export) for _, export in self._ready)]

    @cached_property
    def _segments(self) -> list[tuple[int, Pieces]]:
        """Everything in the archive, in order, with its length."""
        segments: list[tuple[int, Pieces]] = []
        central, at = b"", 0
        when = _dos_time(self._row.ended_at or self._row.created_at)
        for entry in self._entries:
            header = _local_header(entry, when)
            central += _central_header(entry, when, at)
            segments += [(len(header), _of_bytes(header)), (entry.size, entry.pieces)]
            at += len(header) + entry.size
        tail = central + _end_of(len(self._entries), len(central), at)
        return [*segments, (len(tail), _of_bytes(tail))]

    @property
    def size(self) -> int:
        return sum(length for length, _ in self._segments)

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The archive from byte `start` up to, and without, byte `end`."""
        at = 0
        for length, pieces in self._segments:
            first, last = max(start - at, 0), min(end - at, length)
            if first < last:
                yield from pieces(first, last)
            at += length


def _facts(part: TeamExportPart, export: PreparedExport | None) -> dict[str, Any]:
    if export is None:
        sentence = part.sentence or "The file of this member is not here any more."
        failed = {"reason": part.reason or "gone", "sentence": sentence}
        return {"member": part.member_name, "state": "failed"} | failed
    return {
        "member": part.member_name,
        "state": "exported",
        "file": {"name": file_name(export), "bytes": export.size, "sha256": export.sha256},
        "contents": export.content_count,
        "deals": export.deal_count,
        "document": {"version": export.document_version, "date": export.document_date},
        "console_version": export.console_version,
    }


def _entry(export: PreparedExport) -> Entry:
    def pieces(start: int, end: int) -> Iterator[bytes]:
        file = opened(export.file_name)
        with closed_on_failure(file):
            reader = reader_of(file, export)
        with file:
            yield from reader.pieces(start, end)

    return Entry(file_name(export), export.size, export.crc32 or 0, pieces)


def _of_bytes(data: bytes) -> Pieces:
    return lambda start, end: iter((data[start:end],))


def _dos_time(at: datetime) -> tuple[int, int]:
    at = at.astimezone(UTC)
    time = at.hour << 11 | at.minute << 5 | at.second // 2
    return time, (at.year - 1980) << 9 | at.month << 5 | at.day


def _local_header(entry: Entry, when: tuple[int, int]) -> bytes:
    name = entry.name.encode()
    sizes = (IN_ZIP64, IN_ZIP64, len(name), 20)
    extra = (1, 16, entry.size, entry.size)
    # The name is before the extra field.
    packed = _local.pack(b"PK\3\4", VERSION, UTF_8, 0, *when, entry.crc32, *sizes, *extra)
    return packed[:30] + name + packed[30:]


def _central_header(entry: Entry, when: tuple[int, int], offset: int) -> bytes:
    name = entry.name.encode()
    made_by = 3 << 8 | VERSION  # Unix
    sizes = (IN_ZIP64, IN_ZIP64, len(name), 28)
    no_comment_first_disk_binary = (0, 0, 0)
    extra = (1, 24, entry.size, entry.size, offset)
    packed = _central.pack(
        *(b"PK\1\2", made_by, VERSION, UTF_8, 0, *when, entry.crc32, *sizes),
        *(*no_comment_first_disk_binary, PRIVATE_FILE, IN_ZIP64, *extra),
    )
    return packed[:46] + name + packed[46:]


def _end_of(count: int, size: int, offset: int) -> bytes:
    """The end record of ZIP64, its locator, and the old end record that points to them."""
    return _ends.pack(
        *(b"PK\6\6", 44, 3 << 8 | VERSION, VERSION, 0, 0, count, count, size, offset),
        *(b"PK\6\7", 0, offset + size, 1),
        *(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, IN_ZIP64, IN_ZIP64, 0),
    )


def _moment(value: datetime | None) -> str | None:
    return value.isoformat(timespec="seconds") if value else None
