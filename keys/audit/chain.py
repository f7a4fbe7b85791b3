"""The chain of audit rows: each row's hash covers the row and the hash of its predecessor.

A row that is changed, removed, inserted or moved no longer fits its neighbours. A rewrite of the
whole chain fits itself; it shows against a head that was kept outside (metrics, log, webhook).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from django.db import connection, transaction
from django.template.defaultfilters import pluralize

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, AuditHead

#: What the hash covers. Not the links to members: they become null when a member is deleted.
HASHED_FIELDS = (
    *("sequence", "action", "outcome", "actor_name", "job", "on_behalf_of_name"),
    *("token_hash", "address", "request_id", "detail"),
)
ROWS_PER_DELETE = 500  # in one transaction: SQLite has one write lock
# In SQL, since the model refuses both.
DELETE_OLDEST = """
    DELETE FROM keys_auditentry WHERE id IN (
        SELECT id FROM keys_auditentry WHERE sequence <= %s ORDER BY sequence LIMIT %s
    )
"""
MOVE_HEAD = "UPDATE keys_audithead SET sequence = %s, row_hash = %s WHERE id = %s"
WRITE_LINK = """
    UPDATE keys_auditentry SET sequence = %s, row_hash = %s WHERE id = %s AND sequence IS NULL
"""

_lock_head = PreparedQuery(AuditHead.objects.select_for_update().filter(pk=AuditHead.SINGLE))


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the chain does not hold, in words."""

    sequence: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check of the chain."""

    rows: int
    head: str  # "sequence:hash" of the newest row
    breaks: list[Break]
    is_known_head_pruned: bool = False  # nothing was compared with it

    @property
    def holds(self) -> bool:
        return not self.breaks


def append(entry: AuditEntry) -> AuditEntry:
    """Save a new row as the next link; concurrent writers wait for each other's commit."""
    # An act is never recorded without its row, so a failure here undoes the caller's work anyway.
    with transaction.atomic(savepoint=False):
        head = _locked_head()
        entry.sequence = head.sequence + 1
        entry.row_hash = row_hash(entry, head.row_hash)
        entry.save(force_insert=True)
        _move_head(entry.sequence, entry.row_hash)
    return entry


def row_hash(entry: AuditEntry, previous: str) -> str:
    """SHA-256 over the canonical row and the hash of its predecessor ("" for the first)."""
    facts: dict[str, Any] = {name: getattr(entry, name) for name in HASHED_FIELDS}
    at = entry.moment
    facts["at"] = at.astimezone(UTC).isoformat(timespec="microseconds") if at else ""
    canonical = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode(errors="surrogatepass")).hexdigest()


def current_head() -> str:
    """The newest link as `sequence:hash`, to be kept where the database's owner cannot write."""
    return str(_head())


def _head() -> AuditHead:
    return AuditHead.objects.filter(pk=AuditHead.SINGLE).first() or AuditHead()


def verify(known_head: str = "") -> Verdict:
    """Walk the whole chain in constant memory.

    `known_head` is a `sequence:hash` that was kept outside: the row of that number must still
    have that hash, unless `prune` has removed it since.
    """
    known = _parsed_head(known_head)
    while True:
        anchor = _anchor()
        verdict = _walk(anchor, known)
        # A prune during the walk has moved the beginning: what it removed is not missing.
        if verdict.holds or _anchor() == anchor:
            return verdict


def _walk(anchor: tuple[int, str], known: tuple[int, str] | None) -> Verdict:
    head = _head()  # read before the walk: rows that others append during it come after this one
    start, previous = anchor
    breaks = _before_the_chain(start, previous)
    rows, expected, is_head_found = 0, start + 1, head.row_hash == previous
    for entry in _links(after=start):
        sequence = entry.sequence or 0
        if not isinstance(sequence, int):  # SQLite stores text and fractions in any column
            breaks.append(Break(None, f"A row has {sequence!r} in place of its number."))
            continue
        if sequence > expected:
            breaks.append(Break(expected, _missing(expected, sequence - 1)))
        elif row_hash(entry, previous) != entry.row_hash:
            breaks.append(Break(sequence, f"Row {sequence} was changed or moved."))
        if known and sequence == known[0] and entry.row_hash != known[1]:
            breaks.append(Break(sequence, f"Row {sequence} is not the one of the known head."))
        if sequence == head.sequence:
            is_head_found = entry.row_hash == head.row_hash
        rows, expected, previous = rows + 1, sequence + 1, entry.row_hash
    if known and known[0] >= expected:
        breaks.append(Break(known[0], f"Row {known[0]}, the known head, is missing."))
    breaks += _outside_the_chain(expected - 1, head, is_head_found=is_head_found)
    is_pruned = known is not None and 0 < known[0] <= start
    return Verdict(rows, f"{expected - 1}:{previous}", breaks, is_pruned)


def cut(through: int) -> int:
    """Remove all rows up to a sequence number; an anchor row must be in the chain already."""
    removed = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":  # its trigger refuses any other deletion
                cursor.execute("SET LOCAL estuary_admin.prune = 'on'")
            cursor.execute(DELETE_OLDEST, [through, ROWS_PER_DELETE])
            count = cursor.rowcount
        if count < 1:
            return removed
        removed += count


def pruned_through() -> int:
    """The newest sequence number that an anchor says is removed; 0 when nothing is."""
    return _anchor()[0]


def adopt() -> int:
    """Chain rows that an older version wrote during a rolling upgrade; returns how many."""
    with transaction.atomic():
        head = _locked_head()
        sequence, previous = head.sequence, head.row_hash
        found = AuditEntry.objects.filter(sequence=None).order_by("at", "pk")
        for entry in found.iterator(chunk_size=500):
            sequence += 1
            entry.sequence = sequence
            previous = entry.row_hash = row_hash(entry, previous)
            _write_link(entry)
        _move_head(sequence, previous)
    return sequence - head.sequence


def _write_link(entry: AuditEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute(WRITE_LINK, [entry.sequence, entry.row_hash, entry.pk])


def _locked_head() -> AuditHead:
    while (head := _lock_head.first(AuditHead.SINGLE)) is None:  # after a flush of the tables
        AuditHead.objects.get_or_create(pk=AuditHead.SINGLE)
    return head


def _move_head(sequence: int, newest_hash: str) -> None:
    with connection.cursor() as cursor:  # the ORM takes five times as long to build the statement
        cursor.execute(MOVE_HEAD, [sequence, newest_hash, AuditHead.SINGLE])


def _anchor() -> tuple[int, str]:
    """The beginning of the chain: after the rows that the newest anchor row reports as removed.

    An anchor is written behind all that it removes. One that reports its own removal was changed;
    the walk must meet it.
    """
    anchors = AuditEntry.objects.filter(
        action=Action.AUDIT_PRUNED, detail__through__isnull=False, sequence__isnull=False
    )
    for anchor in anchors.order_by("-sequence").iterator(chunk_size=100):
        through = anchor.detail["through"]
        if isinstance(through, int) and 0 < through < (anchor.sequence or 0):
            return through, str(anchor.detail.get("hash", ""))
    return 0, ""


def _before_the_chain(start: int, anchor_hash: str) -> list[Break]:
    """Rows that a `prune` was killed before removing lead up to the anchor; others are inserted."""
    breaks: list[Break] = []
    last: AuditEntry | None = None
    rows = AuditEntry.objects.filter(sequence__lte=start).order_by("sequence")
    for entry in rows.iterator(chunk_size=1000):
        sequence = entry.sequence or 0
        if last and not (
            sequence == (last.sequence or 0) + 1
            and row_hash(entry, last.row_hash) == entry.row_hash
        ):
            breaks.append(Break(sequence, f"Row {sequence} was changed or moved."))
        last = entry
    if last and not (start and last.sequence == start and last.row_hash == anchor_hash):
        sentence = f"Row {last.sequence} was inserted before the oldest row."
        breaks.append(Break(last.sequence, sentence))
    return breaks


def _links(after: int) -> Iterator[AuditEntry]:
    rows = AuditEntry.objects.filter(sequence__gt=after).order_by("sequence")
    return rows.iterator(chunk_size=1000)


def _missing(first: int, last: int) -> str:
    return f"Row {first} is missing." if first == last else f"Rows {first} to {last} are missing."


def _outside_the_chain(last: int, head: AuditHead, *, is_head_found: bool) -> list[Break]:
    """Breaks at the end of the chain, by the head read before the walk, and unchained rows."""
    found = []
    if head.sequence > last:
        found.append(Break(last + 1, _missing(last + 1, head.sequence)))
    elif _head().sequence < last:
        found.append(Break(last, f"Row {last} was inserted behind the newest row."))
    elif not is_head_found:
        found.append(Break(last, "The newest row is not the one that was written last."))
    if count := AuditEntry.objects.filter(sequence=None).count():
        rows = f"{count} row{pluralize(count, ' is,s are')}"
        found.append(
            Break(
                None,
                f"{rows} not in the chain: inserted by hand, or written by an older version "
                "(see --adopt).",
            )
        )
    return found


def _parsed_head(text: str) -> tuple[int, str] | None:
    """`12:3fa…` as number and hash; raises ValueError for anything else but ""."""
    if not text:
        return None
    sequence, _, known_hash = text.partition(":")
    if not sequence.isdecimal() or len(known_hash) != 64:
        raise ValueError("A head looks like 12:3fa…, with 64 hexadecimal digits.")
    return int(sequence), known_hash
