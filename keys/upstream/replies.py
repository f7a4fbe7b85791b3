"""Estuary's JSON turned into our types; what cannot be trusted does not get through.

These functions return a word for the problem instead of raising: a traceback holds the frames it
passed, and theirs hold what Estuary sent, tokens included.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from . import documents
from .documents import Row
from .errors import Problem
from .redaction import Secret
from .types import ApiKey, CreatedKey, KeyList, Stats, hash_of

_is_hash = re.compile(r"[0-9A-Za-z_-]{43}").fullmatch
# Nothing else has ever been a token; and only this may go into a path as it is.
_is_token = re.compile(r"EST[0-9A-Za-z_-]{1,250}ARY").fullmatch
#: Bad JSON, bad UTF-8, a wrong shape, thousands of digits or of levels.
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


def loads(body: bytes) -> object:
    """The JSON document, or None when it is none: bad UTF-8, NaN, thousands of levels."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        return None


class Listing(NamedTuple):
    """The keys, and the tokens of those among the wanted ones that only their token revokes."""

    keys: KeyList
    tokens: dict[str, Secret]


def read_keys(body: bytes, wanted: Container[str] = ()) -> Listing | Problem:
    """The list of keys; `wanted` are the hashes of those that are to be revoked.

    A row that cannot be trusted is counted and left out; when no row can, neither can the list.
    Of rows with the same hash the first counts.
    """
    keys: dict[str, ApiKey] = {}
    tokens: dict[str, Secret] = {}
    unreadable = 0
    try:
        for row in _each(body):
            key = _key(row)
            if key is None:
                unreadable += 1
            elif key.token_hash not in keys:
                keys[key.token_hash] = key
                if row and key.needs_token and key.token_hash in wanted:
                    tokens[key.token_hash] = Secret(row.token)
    except _UNREADABLE as error:
        return _problem(error)
    if unreadable and not keys:
        return "shape"
    return Listing(KeyList(tuple(keys.values()), unreadable), tokens)


def _each(body: bytes) -> Iterable[Row | None]:
    """All rows at once; or one by one, with None for a bad one, when one of them is bad."""
    try:
        return documents.rows.decode(body)
    except _UNREADABLE:
        return map(_decoded, documents.raw_rows.decode(body))


def _decoded(raw: msgspec.Raw) -> Row | None:
    try:
        return documents.row.decode(raw)
    except _UNREADABLE:
        return None


def _problem(error: Exception) -> Problem:
    return "shape" if isinstance(error, msgspec.ValidationError) else "json"


def _key(row: Row | None) -> ApiKey | None:
    """One row, or None when it cannot be trusted.

    Rows made by v0.1.10 and before have the token in clear and no hash, by v0.1.11 both, by later
    ones the hash alone; a current node lists all three side by side. The outermost years are
    refused: shown in a local time they would leave the calendar.
    """
    if row is None or not 1 < row.expiry.year < 9999:
        return None
    expiry = row.expiry if row.expiry.tzinfo is UTC else row.expiry.astimezone(UTC)
    if not row.token:
        if not _is_hash(row.token_hash):
            return None
        return ApiKey(row.token_hash, row.label, expiry, row.is_session)
    if own := _hash(row):
        return ApiKey(
            own, row.label, expiry, row.is_session, is_legacy=True, needs_token=not row.token_hash
        )
    return None


def _hash(row: Row) -> str:
    """Our own hash of a row's token; "" when it is no token, or Estuary's hash is another."""
    if not _is_token(row.token):
        return ""
    own = hash_of(row.token)
    return own if row.token_hash in {"", own} else ""


def read_created(body: bytes) -> CreatedKey | Problem:
    """The key just made, with its token."""
    try:
        made = documents.made.decode(body)
        row = Row(_moment(made.expiry), made.token, made.token_hash, made.label)
    except _UNREADABLE as error:
        return _problem(error)
    key = _key(row) if row.token else None
    return CreatedKey(key.token_hash, key.label, key.expiry, row.token) if key else "shape"


def _moment(text: str) -> datetime:
    """A moment with up to 9 digits of fraction, cut to microseconds as PostgreSQL keeps them."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise msgspec.ValidationError("This is no moment.") from None
    if moment.tzinfo is None:
        raise msgspec.ValidationError("This moment has no zone.")
    return moment


def read_stats(body: bytes) -> Stats | Problem:
    """The two numbers, which go beyond 2^53 but not beyond 63 bits."""
    try:
        figures = documents.figures.decode(body)
    except _UNREADABLE as error:
        return _problem(error)
    return Stats(figures.total_size, figures.num_pins)
