"""The team's keys as the table and the credential report show them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from keys.api_keys.query import Status
from keys.api_keys.rows import permission_text, status_of, terms_at
from keys.audit.download import Line, safe_cell
from keys.audit.stream import json_line
from keys.models import KeyNote, RotationRequest, SeenKey
from keys.notes.services import NoteText, text_of
from keys.policy.rules import Finding
from keys.team.inventory import key_of
from keys.team.members import address_of

ROWS_PER_READ = 500


@dataclass(frozen=True, slots=True)
class TeamKeyRow:
    """A key as the worker last saw it, with its note and what is worth a look."""

    seen: SeenKey
    note: NoteText
    status: Status
    findings: list[str]
    asked: RotationRequest | None = None  # the open request for a rotation

    @property
    def permission_text(self) -> str:
        return permission_text(self.seen.permission)

    @property
    def owner_url(self) -> str:
        return reverse("keys:team_member", args=[address_of(self.seen.account.member)])

    @property
    def is_permanent(self) -> bool:
        return self.status is Status.PERMANENT

    @property
    def is_expired(self) -> bool:
        return self.status is Status.EXPIRED

    @property
    def can_ask(self) -> bool:
        """Whether a rotation of this key can be asked for."""
        return not self.seen.is_session and not self.is_expired


def rows_of(found: Iterable[SeenKey], now: datetime) -> list[TeamKeyRow]:
    """Put notes, requests for a rotation and findings beside keys, with a query for each kind."""
    found = list(found)
    asked = requests_of(found)
    notes = {
        note.token_hash: note
        for note in KeyNote.objects.filter(token_hash__in=[row.token_hash for row in found])
    }
    ends = terms_at(now)
    rows = []
    for seen in found:
        note = text_of(notes.get(seen.token_hash))
        status = status_of(key_of(seen), ends)
        wish = asked.get((seen.account.member_id, seen.token_hash))
        findings = _findings(seen, note, wish, now)
        rows.append(TeamKeyRow(seen, note, status, findings, wish))
    return rows


def requests_of(found: Iterable[SeenKey]) -> dict[tuple[int, str], RotationRequest]:
    """The open requests for a rotation of these keys, by member and token hash."""
    hashes = [row.token_hash for row in found]
    rows = RotationRequest.objects.filter(token_hash__in=hashes, state=RotationRequest.State.OPEN)
    return {(row.member_id, row.token_hash): row for row in rows}


def _findings(
    seen: SeenKey, note: NoteText, asked: RotationRequest | None, now: datetime
) -> list[str]:
    """In words; keys that have ended and session keys have none: nothing is to be done."""
    if seen.is_session or seen.expiry <= now:
        return []
    is_over = seen.breaks_policy or bool(seen.too_long_until and seen.too_long_until > now)
    found = {
        Finding.OVER_POLICY.words: is_over,
        Finding.NO_PURPOSE.words: not note.purpose,
        "Owner disabled": not seen.account.member.is_active,
        "Rotation overdue": asked is not None and asked.deadline <= now,
    }
    return [words for words, is_found in found.items() if is_found]


def facts_of(row: TeamKeyRow) -> dict[str, Any]:
    """A row of the credential report; its names are the columns."""
    seen, as_of = row.seen, row.seen.account.as_of
    return {
        "owner": seen.owner,
        "label": seen.label,
        "fingerprint": seen.fingerprint,
        "token_hash": seen.token_hash,
        "permission": seen.permission or "unknown",
        "purpose": row.note.purpose,
        "system": row.note.system,
        "contact": row.note.contact,
        "status": str(row.status),
        "ends_at": "" if row.is_permanent else seen.expiry.isoformat(timespec="seconds"),
        "is_session": seen.is_session,
        "is_plain_text": seen.is_legacy,
        "made": "here" if seen.is_made_here else "elsewhere",
        "findings": ", ".join(row.findings),
        "rotate_by": row.asked.deadline.isoformat(timespec="seconds") if row.asked else "",
        "first_seen_at": seen.first_seen_at.isoformat(timespec="seconds"),
        "as_of": as_of.isoformat(timespec="seconds") if as_of else "",
    }


COLUMNS = (
    *("owner", "label", "fingerprint", "token_hash", "permission", "purpose", "system"),
    *("contact", "status", "ends_at", "is_session", "is_plain_text", "made", "findings"),
    *("rotate_by", "first_seen_at", "as_of"),
)


def csv_lines(found: QuerySet[SeenKey], now: datetime) -> Iterator[str]:
    """RFC 4180 with a header row."""
    writer = csv.writer(Line(), lineterminator="\r\n")
    yield writer.writerow(COLUMNS)
    for facts in _all(found, now):
        yield writer.writerow([safe_cell(value) for value in facts.values()])


def ndjson_lines(found: QuerySet[SeenKey], now: datetime) -> Iterator[str]:
    """One JSON object a line."""
    for facts in _all(found, now):
        yield json_line(facts) + "\n"


FORMS: dict[str, tuple[str, Callable[[QuerySet[SeenKey], datetime], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "ndjson": ("application/x-ndjson", ndjson_lines),
}


def _all(found: QuerySet[SeenKey], now: datetime) -> Iterator[dict[str, Any]]:
    """In constant memory, with the notes of a few hundred keys at a time."""
    rows = found.select_related("account__member").iterator(chunk_size=ROWS_PER_READ)
    for part in _parts(rows):
        for row in rows_of(part, now):
            yield facts_of(row)


def _parts(rows: Iterator[SeenKey]) -> Iterator[list[SeenKey]]:
    part: list[SeenKey] = []
    for row in rows:
        part.append(row)
        if len(part) == ROWS_PER_READ:
            yield part
            part = []
    yield part
