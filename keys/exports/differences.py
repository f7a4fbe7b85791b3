"""What differs between two exports, in constant memory: sorted runs on disk, then a merge.

A record is known by its kind and id, and it has changed when its text has. The first pass keeps 16
bytes of each record on disk, and 8 bytes of each difference in memory; the second pass reads both
documents again and writes the records that differ.
"""

from __future__ import annotations

import csv
import heapq
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import msgspec

from keys.exports.document import Document, Malformed
from keys.exports.forms_of_export import cell, is_on_lines

ENTRY_BYTES = 16
ENTRIES_PER_RUN = 200_000
READ_BYTES = ENTRY_BYTES * 4096
CHANGES = ("appeared", "vanished", "changed")
KINDS = {"Contents": "content", "Deals": "deal"}
COLUMNS = ("change", "kind", "id", "cid", "name", "size", "miner", "dealId")

#: Opens a document; called twice, because the document is read twice.
Open = Callable[[], Iterable[bytes]]


class _Record(msgspec.Struct, gc=False):
    """The fields of a record that the list shows; contents have `id`, deals have `ID`.

    What a record does not have is an empty cell, not 0.
    """

    id: int = 0
    deal: int = msgspec.field(default=0, name="ID")
    cid: Any = ""
    prop_cid: Any = msgspec.field(default="", name="propCid")
    name: Any = ""
    size: Any = ""
    miner: Any = ""
    deal_id: Any = msgspec.field(default="", name="dealId")

    @property
    def number(self) -> int:
        return self.id or self.deal


_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_records = msgspec.json.Decoder(list[_Record]).decode
_record = msgspec.json.Decoder(_Record).decode


class Differences:
    """The ids that differ, by kind and change."""

    def __init__(self) -> None:
        self.ids = {kind: {change: array("Q") for change in CHANGES} for kind in KINDS.values()}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        return {
            kind: {change: len(ids) for change, ids in found.items()}
            for kind, found in self.ids.items()
        }


def find_differences(old: Open, new: Open, folder: Path, check: Callable[[], None]) -> Differences:
    """Compare two documents; `check` is called now and then. Raises Malformed."""
    found = Differences()
    with ExitStack() as files:
        before = _sorted_runs(old(), folder, files, check)
        after = _sorted_runs(new(), folder, files, check)
        for name, kind in KINDS.items():
            _merge(_entries(before[name]), _entries(after[name]), found.ids[kind])
            check()
    return found


def _sorted_runs(
    pieces: Iterable[bytes], folder: Path, files: ExitStack, check: Callable[[], None]
) -> dict[str, list[IO[bytes]]]:
    runs: dict[str, list[IO[bytes]]] = {name: [] for name in KINDS}
    entries: list[bytes] = []
    current = ""

    def write() -> None:
        if entries:
            file = files.enter_context(TemporaryFile(dir=folder))  # noqa: SIM115
            entries.sort()
            file.write(b"".join(entries))
            runs[current].append(file)
            entries.clear()

    for name, block in Document(pieces, dict.fromkeys(KINDS, _raw)):
        if name != current or len(entries) >= ENTRIES_PER_RUN:
            write()
            current = name
        entries += map(_entry, block)
        check()
    write()
    return runs


def _entry(raw: msgspec.Raw) -> bytes:
    """The id, then a hash of the record's text: entries sort by id. Raises Malformed."""
    text = bytes(raw)
    if is_on_lines(text):  # a formatted answer
        text = msgspec.json.format(text, indent=-1)
    try:
        number = _record(text).number.to_bytes(8, "big")
    except (ValueError, OverflowError):
        raise Malformed("shape") from None
    return number + blake2b(text, digest_size=8).digest()


def _entries(runs: list[IO[bytes]]) -> Iterator[bytes]:
    return heapq.merge(*map(_read, runs)) if len(runs) > 1 else _read(runs[0]) if runs else iter(())


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while data := file.read(READ_BYTES):
        for at in range(0, len(data), ENTRY_BYTES):
            yield data[at : at + ENTRY_BYTES]


def _merge(old: Iterator[bytes], new: Iterator[bytes], ids: dict[str, array[int]]) -> None:
    appeared, vanished, changed = (ids[change] for change in CHANGES)
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if before == after:
            before, after = next(old, None), next(new, None)
        elif after is None or (before is not None and before[:8] < after[:8]):
            vanished.append(_id(before))
            before = next(old, None)
        elif before is None or after[:8] < before[:8]:
            appeared.append(_id(after))
            after = next(new, None)
        else:
            changed.append(_id(after))
            before, after = next(old, None), next(new, None)


def _id(entry: bytes | None) -> int:
    return int.from_bytes((entry or b"")[:8], "big")


def list_of(found: Differences, old: Open, new: Open) -> Iterator[bytes]:
    """The differing records as CSV: of the old document what vanished, of the new one the rest."""
    yield (",".join(COLUMNS) + "\r\n").encode()
    for pieces, changes in ((old(), CHANGES[1:2]), (new(), (CHANGES[0], CHANGES[2]))):
        for name, block in Document(pieces, dict.fromkeys(KINDS, _records)):
            kind = KINDS[name]
            lines = StringIO(newline="")
            csv.writer(lines, lineterminator="\r\n").writerows(
                _row(change, kind, record)
                for record in block
                for change in changes
                if _is_in(found.ids[kind][change], record.number)
            )
            if text := lines.getvalue():
                yield text.encode()


def _is_in(ids: array[int], number: int) -> bool:
    at = bisect_left(ids, number)
    return at < len(ids) and ids[at] == number


def _row(change: str, kind: str, record: _Record) -> list[Any]:
    cells = [record.cid or record.prop_cid, record.name, record.size, record.miner, record.deal_id]
    return [change, kind, record.number, *map(cell, cells)]
