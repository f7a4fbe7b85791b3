"""A key as the pages show it: Estuary's facts beside what we recorded ourselves."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from keys.api_keys.query import Status, list_url
from keys.api_keys.records import Record, records_of
from keys.upstream import PERMANENT_FROM, ApiKey, fingerprint_of

LONGEST_NAME = 60  # characters of a label in a sentence
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
EXPIRES_SOON = timedelta(days=7)

STATUS_TEXT = {
    Status.ALL: "All",
    Status.ACTIVE: "Active",
    Status.EXPIRING: "Expiring",
    Status.EXPIRED: "Expired",
    Status.PERMANENT: "Permanent",
    Status.LEGACY: "Legacy",
    Status.SESSION: "Sessions",
}
#: How long keys still work, shortest first.
TERMS = (Status.EXPIRED, Status.EXPIRING, Status.ACTIVE, Status.PERMANENT)
PERMISSION_TEXT = {"upload": "Upload only", "all": "Everything", "": "Unknown"}


def permission_text(permission: str) -> str:
    """A permission in words; one that this version does not know as it is."""
    return PERMISSION_TEXT.get(permission, permission)


@dataclass(frozen=True, slots=True)
class KeyRow:
    key: ApiKey
    status: Status
    label: str
    permission: str  # "upload", "all", or "" when the key was not created here
    is_own: bool  # the member's own stored token
    is_new: bool = False  # created a moment ago

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


def terms_at(now: datetime) -> list[datetime]:
    """The last moment of each of TERMS but for the last, which has none."""
    return [now, now + EXPIRES_SOON, now + PERMANENT_FROM]


def status_of(key: ApiKey, ends: list[datetime]) -> Status:
    """How long a key still works, in one word; `ends` are `terms_at` the moment in question."""
    return TERMS[bisect_left(ends, key.expiry)]


def expired_among(keys: Iterable[ApiKey], own_hash: str, now: datetime) -> list[ApiKey]:
    """The expired keys but for session keys, which are Estuary's own to clean up.

    The stored token is never among them: it has just worked, so it is our clock that is wrong.
    """
    expired = (key for key in keys if key.is_expired(now))
    return [key for key in expired if not key.is_session and key.token_hash != own_hash]


def name_of(key: ApiKey | None, token_hash: str) -> str:
    """A key in a sentence: by its label if it has one that shows, else by its fingerprint.

    A sentence has no `<bdi>` around the label, and is kept in the session until it is shown: what
    would turn its direction is taken out, and a long label is cut.
    """
    kept = (key.label if key else "")[: 10 * LONGEST_NAME]
    plain = (" " if unicodedata.bidirectional(char) in TURNING else char for char in kept)
    label = " ".join("".join(plain).split())
    if len(label) > LONGEST_NAME:
        label = f"{label[: LONGEST_NAME - 1]}…"
    return f"“{label}”" if label else f"Key {fingerprint_of(token_hash)}"


def rows_of(
    keys: Iterable[ApiKey], own_hash: str, now: datetime, new_hash: str = ""
) -> list[KeyRow]:
    """Put our records beside the keys of one page, with one query for all of them."""
    keys = list(keys)
    records, ends = records_of([key.token_hash for key in keys]), terms_at(now)
    return [
        _row(key, records.get(key.token_hash), own_hash, new_hash, status_of(key, ends))
        for key in keys
    ]


def _row(
    key: ApiKey, record: Record | None, own_hash: str, new_hash: str, status: Status
) -> KeyRow:
    return KeyRow(
        key=key,
        status=status,
        # Nodes before v0.1.11 keep no labels: ours is better than none.
        label=key.label or (record.label if record else ""),
        permission=record.permission if record else "",
        is_own=key.token_hash == own_hash,
        is_new=key.token_hash == new_hash,
    )
