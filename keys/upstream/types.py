"""The values that the client takes and returns: frozen, with only what pages may show."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from .durations import to_go

#: A lifetime above this counts as permanent: Estuary's `false` gives 100 years.
PERMANENT_FROM = timedelta(days=50 * 365)
_FINGERPRINT_LENGTH = 8


class Permission(StrEnum):
    """The permissions of a key; the values are Estuary's own words."""

    ALL = "all"
    UPLOAD = "upload"


class ApiKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A key as Estuary lists it, without its token.

    `token_hash` is always set: our own hash of the token where Estuary lists it in plain text
    (`is_legacy`), else Estuary's. With `needs_token` Estuary has no hash of it, so only the token
    itself, in the path of the request, revokes it.
    """

    token_hash: str
    label: str
    expiry: datetime
    is_session: bool
    is_legacy: bool = False
    needs_token: bool = False

    @property
    def fingerprint(self) -> str:
        """The short form of the hash that people see."""
        return fingerprint_of(self.token_hash)

    @property
    def is_permanent(self) -> bool:
        """Whether it never expires, for practical purposes."""
        return self.is_permanent_at(datetime.now(UTC))

    def is_permanent_at(self, now: datetime) -> bool:
        """Whether, seen from the moment `now` (aware), it never expires."""
        return self.expiry - now > PERMANENT_FROM

    def is_expired(self, now: datetime) -> bool:
        """Whether it has expired at the moment `now` (aware)."""
        return self.expiry <= now


@dataclass(frozen=True, slots=True)
class NodeClock:
    """The node's clock at the moment of one answer: its `Date` header, in whole seconds.

    `ahead` is the node's time minus ours at that moment, so `our_now + ahead` is the node's time
    later on. It is negative when the node is behind.
    """

    time: datetime
    ahead: timedelta


@dataclass(frozen=True, slots=True)
class KeyList:
    """All keys of the account in Estuary's order, expired and session keys included.

    `unreadable` counts the rows that could not be trusted and are not among `keys`: while it is
    not 0, a key that is missing from the list may exist all the same. `clock` is None when the
    answer had no readable `Date` header.
    """

    keys: tuple[ApiKey, ...]
    unreadable: int = 0
    clock: NodeClock | None = field(default=None, compare=False)

    @property
    def node_time(self) -> datetime | None:
        """The time of the node's clock when it answered; None when it did not say."""
        return self.clock.time if self.clock else None

    def find(self, token_hash: str) -> ApiKey | None:
        """The key with that hash, or None."""
        return next((key for key in self.keys if key.token_hash == token_hash), None)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key to be made; it never expires when `lifetime` is None.

    Raises ValueError for what Estuary would answer with 500, or turn into a dead key: a label
    with NUL or half a surrogate pair, a lifetime under a second.
    """

    label: str
    lifetime: timedelta | None
    permission: Permission

    def __post_init__(self) -> None:
        if "\0" in self.label:
            raise ValueError("A label cannot hold a NUL character.")
        self.label.encode()
        to_go(self.lifetime)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key just made, with its token, which Estuary tells only once.

    `expiry` and `label` are what Estuary answered; nodes before v0.1.11 have no labels ("").
    """

    token_hash: str
    label: str
    expiry: datetime
    token: str = field(repr=False)
    clock: NodeClock | None = field(default=None, compare=False)

    @property
    def fingerprint(self) -> str:
        """The short form of the hash that people see."""
        return fingerprint_of(self.token_hash)


@dataclass(frozen=True, slots=True)
class Stats:
    """The storage of an account: total bytes, and the number of pins."""

    total_size: int
    pin_count: int
    clock: NodeClock | None = field(default=None, compare=False)


def hash_of(token: str) -> str:
    """Estuary's hash of a token: SHA-256 in unpadded base64url, 43 characters.

    Raises ValueError for text that is no valid Unicode.
    """
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")


def fingerprint_of(token_hash: str) -> str:
    """The first 8 characters of a token hash: what people, logs and audit rows see."""
    return token_hash[:_FINGERPRINT_LENGTH]
