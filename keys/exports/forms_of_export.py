"""The forms in which a prepared export is downloaded, made from its file while it is read.

CSV is that of RFC 4180, in UTF-8, with a header row: the names that Estuary gives the fields, in
its order. A field that a node does not send is an empty cell. Text that a spreadsheet would take
for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import msgspec

from keys.audit.download import MAYBE_FORMULA_STARTS, is_formula
from keys.exports.document import Decode, Document


def _names(text: str) -> list[str]:
    return text.split()


CONTENT_COLUMNS = _names(
    "id createdAt updatedAt cid name userId description size type active offloaded replication "
    "aggregatedIn aggregate pinning pinMeta replace origins failed location dagSplit splitFrom "
    "pinningStatus dealStatus"
)
DEAL_COLUMNS = _names(
    "ID CreatedAt UpdatedAt DeletedAt content user_id propCid dealUuid miner dealId failed "
    "verified slashed failedAt dtChan transferStarted transferFinished onChainAt sealedAt "
    "deal_protocol_version miner_version"
)
_BOOLEANS = {True: "true", False: "false"}

Pieces = Iterable[bytes]


class Passed(msgspec.Struct):
    """A record that is checked but not returned."""


def _decoder_of(columns: list[str]) -> Decode:
    """Reads arrays of records with these fields; all others are passed over."""
    fields = [(f"field_{number}", Any, None) for number in range(len(columns))]
    names = {f"field_{number}": name for number, name in enumerate(columns)}
    record: Any = msgspec.defstruct("Record", fields, rename=names, gc=False)
    decode: Decode = msgspec.json.Decoder(list[record]).decode
    return decode


_passed = msgspec.json.Decoder(list[Passed]).decode


def count_records(text: bytes) -> list[Passed]:
    """Check the form of records, and nothing more."""
    text.decode()  # msgspec passes over strings without looking at their bytes
    return _passed(text)


_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_contents = _decoder_of(CONTENT_COLUMNS)
_deals = _decoder_of(DEAL_COLUMNS)


def ndjson(pieces: Pieces) -> Iterator[bytes]:
    """One line for each record: `{"kind":"content","record":{…}}`, or with `"deal"`."""
    starts = {
        "Contents": b'{"kind":"content","record":',
        "Deals": b'{"kind":"deal","record":',
    }
    for name, block in Document(pieces, {"Contents": _raw, "Deals": _raw}):
        start = starts[name]
        yield b"".join(b"%b%b}\n" % (start, _on_one_line(bytes(record))) for record in block)


def _on_one_line(record: bytes) -> bytes:
    """A node formats its answer when it is asked to; strings hold no line breaks in JSON."""
    return msgspec.json.format(record, indent=-1) if is_on_lines(record) else record


def is_on_lines(record: bytes) -> bool:
    return b"\n" in record or b"\r" in record


def contents_csv(pieces: Pieces) -> Iterator[bytes]:
    return _csv(pieces, "Contents", _contents, CONTENT_COLUMNS)


def deals_csv(pieces: Pieces) -> Iterator[bytes]:
    return _csv(pieces, "Deals", _deals, DEAL_COLUMNS)


def _csv(pieces: Pieces, wanted: str, decode: Decode, columns: list[str]) -> Iterator[bytes]:
    yield (",".join(columns) + "\r\n").encode()
    decoders = {"Contents": count_records, "Deals": count_records} | {wanted: decode}
    as_tuple = msgspec.structs.astuple
    for name, block in Document(pieces, decoders):
        if name == wanted:
            lines = StringIO(newline="")
            csv.writer(lines, lineterminator="\r\n").writerows(
                # Numbers need no look: a call for each cell would take half of the time.
                [value if value.__class__ is int else cell(value) for value in as_tuple(record)]
                for record in block
            )
            yield lines.getvalue().encode()


def cell(value: Any) -> Any:
    """A value of Estuary's for a cell of CSV."""
    if value.__class__ is str:
        is_unsafe = value[:1] in MAYBE_FORMULA_STARTS and is_formula(value)
        return f"'{value}" if is_unsafe else value
    if value.__class__ is bool:
        return _BOOLEANS[value]
    if value.__class__ in {dict, list}:  # of a later Estuary
        return msgspec.json.encode(value).decode()
    return value


@dataclass(frozen=True, slots=True)
class Form:
    """How an export is handed out; `make` is None for the document as it is."""

    content_type: str
    ending: str  # of the file's name
    make: Callable[[Pieces], Iterator[bytes]] | None = None


FORMS = {
    "json": Form("application/json", ".json"),
    "ndjson": Form("application/x-ndjson", ".ndjson", ndjson),
    "contents.csv": Form("text/csv; charset=utf-8", "-contents.csv", contents_csv),
    "deals.csv": Form("text/csv; charset=utf-8", "-deals.csv", deals_csv),
}
