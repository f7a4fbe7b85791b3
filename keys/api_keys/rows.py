"""A key as the pages show it: Estuary's facts beside what we recorded ourselves."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.contrib.auth.models import User

from estuary_admin.storage.prepared_queries import PreparedQuery
from estuary_admin.unicode_text import shows_something
from keys.api_keys.query import Status, list_url
from keys.api_keys.rotations import Tie, deadlines_of, ties_of
from keys.models import KeyCreation
from keys.notes.services import NoteText, lines_of
from keys.upstream import PERMANENT_FROM, ApiKey, fingerprint_of

MAX_NAME_LENGTH = 60  # characters of a label in a sentence
DIRECTION_CLASSES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
EXPIRES_SOON = timedelta(days=7)
NEW_KEY_AGE = timedelta(hours=1)
MAX_UNPADDED_HASHES = 40  # as many as a page has rows

STATUS_TEXT = {
    Status.ALL: "All",
    Status.ACTIVE: "Active",
    Status.EXPIRING: "Expiring",
    Status.EXPIRED: "Expired",
    Status.PERMANENT: "No expiry",
    Status.LEGACY: "Plain text",
    Status.SESSION: "Sessions",
}
#: How long keys still work, shortest first.
TERMS = (Status.EXPIRED, Status.EXPIRING, Status.ACTIVE, Status.PERMANENT)
PERMISSION_TEXT = {"upload": "Upload only", "all": "Full access", "": "Unknown"}


def permission_text(permission: str) -> str:
    """A permission in words; as it is, when this version does not know it."""
    return PERMISSION_TEXT.get(permission, permission)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key with the facts that this console recorded, for one row of a page."""

    key: ApiKey
    status: Status
    label: str
    permission: str  # "upload", "all", or "" when the key was not created here
    is_own: bool  # the member's own stored token
    is_new: bool = False  # created here within the last hour
    note: str = ""  # the note's fields as one line
    ties: tuple[Tie, ...] = ()  # by rotations under way
    rotate_by: datetime | None = None  # an admin asks for it

    @property
    def token_hash(self) -> str:
        return self.key.token_hash

    @property
    def fingerprint(self) -> str:
        return self.key.fingerprint

    @property
    def expiry(self) -> datetime:
        return self.key.expiry

    @property
    def is_permanent(self) -> bool:
        return self.status is Status.PERMANENT

    @property
    def is_expired(self) -> bool:
        return self.status is Status.EXPIRED

    @property
    def is_session(self) -> bool:
        return self.key.is_session

    @property
    def is_legacy(self) -> bool:
        return self.key.is_legacy

    @property
    def needs_token(self) -> bool:
        return self.key.needs_token

    @property
    def status_text(self) -> str:
        return STATUS_TEXT[self.status]

    @property
    def permission_text(self) -> str:
        return permission_text(self.permission)

    @property
    def url(self) -> str:
        return f"{list_url()}{self.token_hash}/"

    @property
    def revoke_url(self) -> str:
        return f"{self.url}revoke/"

    @property
    def rotate_url(self) -> str:
        return f"{self.url}rotate/"


class Record(NamedTuple):
    """The part of a creation's record that a row shows."""

    token_hash: str
    label: str
    permission: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What we recorded ourselves about some keys, by hash."""

    records: Mapping[str, Record]
    notes: Mapping[str, NoteText]


def facts_of(token_hashes: Sequence[str]) -> Facts:
    """Our records and notes of these keys, with one query for each kind."""
    if len(token_hashes) <= MAX_UNPADDED_HASHES:
        return Facts(records_of(token_hashes), lines_of(token_hashes))
    # A query is prepared for each count, so the counts are few; a repeated hash changes nothing.
    padding = -len(token_hashes) % MAX_UNPADDED_HASHES
    padded = [*token_hashes, *[token_hashes[0]] * padding]
    return Facts(records_of(padded), lines_of(padded))


def rows_of(
    keys: Iterable[ApiKey],
    own_hash: str,
    node_now: datetime,
    new_hash: str = "",
    facts: Facts | None = None,
) -> list[KeyRow]:
    """Put our records, notes, rotations and requests for one beside the keys of one page.

    `node_now` is the node's clock: Estuary decides by it whether a key has expired.
    """
    keys = list(keys)
    hashes, ends = [key.token_hash for key in keys], terms_at(node_now)
    facts, ties = facts or facts_of(hashes), ties_of(hashes)
    deadlines = deadlines_of(hashes)
    rows = []
    for key in keys:
        row = _row(key, facts.records.get(key.token_hash), own_hash, new_hash, status_of(key, ends))
        if note := facts.notes.get(key.token_hash):
            row = replace(row, note=note.line)
        if tied := ties.get(key.token_hash):
            row = replace(row, ties=tuple(tied))
        if deadline := deadlines.get(key.token_hash):
            row = replace(row, rotate_by=deadline)
        rows.append(row)
    return rows


def bare_row(key: ApiKey, own_hash: str, node_now: datetime) -> KeyRow:
    """A key as Estuary lists it, without what our database knows of it."""
    return _row(key, None, own_hash, "", status_of(key, terms_at(node_now)))


def _row(
    key: ApiKey, record: Record | None, own_hash: str, new_hash: str, status: Status
) -> KeyRow:
    # Nodes before v0.1.11 keep no labels: ours is better than none.
    label = key.label or (record.label if record else "")
    return KeyRow(
        key=key,
        status=status,
        label=label if shows_something(label) else "",
        permission=record.permission if record else "",
        is_own=key.token_hash == own_hash,
        is_new=key.token_hash == new_hash,
    )


def records_of(token_hashes: Sequence[str]) -> dict[str, Record]:
    """Our records of the keys with these hashes; a key that was not created here has none."""
    if not token_hashes:
        return {}
    found = map(Record._make, _records_query(len(token_hashes)).rows(*token_hashes))
    return {record.token_hash: record for record in found}


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _records_query(count: int) -> PreparedQuery[KeyCreation]:
    found = KeyCreation.objects.filter(token_hash__in=[str(number) for number in range(count)])
    return PreparedQuery(found.values_list(*Record._fields))


def is_new(member: User, token_hash: str, now: datetime) -> bool:
    """Whether the member created the key with this hash here within the hour before `now`."""
    created = KeyCreation.objects.filter(member=member, token_hash=token_hash)
    return created.filter(requested_at__range=(now - NEW_KEY_AGE, now)).exists()


def terms_at(node_now: datetime) -> list[datetime]:
    """The last moment of each of TERMS, except for the last one, which has no end."""
    return [node_now, node_now + EXPIRES_SOON, node_now + PERMANENT_FROM]


def status_of(key: ApiKey, ends: list[datetime]) -> Status:
    """How long a key still works, in one word; `ends` come from `terms_at`."""
    return TERMS[bisect_left(ends, key.expiry)]


def expired_among(keys: Iterable[ApiKey], own_hash: str, now: datetime) -> list[ApiKey]:
    """The expired keys without session keys, which Estuary itself cleans up.

    The stored token is never among them: Estuary has just accepted it.
    """
    expired = (key for key in keys if key.is_expired(now))
    return [key for key in expired if not key.is_session and key.token_hash != own_hash]


def name_of(key: ApiKey | None, token_hash: str) -> str:
    """A key in a sentence: by its label if it has one that shows, else by its fingerprint.

    A sentence has no `<bdi>` around the label, and is kept until it is shown: what would change its
    direction is taken out, so are control characters, and a long label is cut.
    """
    kept = (key.label if key else "")[: 10 * MAX_NAME_LENGTH]
    label = " ".join("".join(" " if _is_unfit(char) else char for char in kept).split())
    if len(label) > MAX_NAME_LENGTH:
        label = f"{label[: MAX_NAME_LENGTH - 1]}…"
    return f"“{label}”" if shows_something(label) else f"Key {fingerprint_of(token_hash)}"


def _is_unfit(char: str) -> bool:
    """Whether a character turns a sentence around, or is one that PostgreSQL or mail refuses."""
    return unicodedata.bidirectional(char) in DIRECTION_CLASSES or (
        unicodedata.category(char) == "Cc"
    )
