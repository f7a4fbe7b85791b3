"""Estuary's JSON turned into our types; what cannot be trusted is left out.

Unknown fields are ignored, missing ones have plain defaults. The `read_…` functions return a word
for the problem instead of raising: a traceback would hold their frames, which hold what Estuary
sent, tokens included.
"""

from __future__ import annotations

import re
import string
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import msgspec

from .errors import Problem
from .redaction import Secret, hides_token, holds_token, redact_label
from .types import ApiKey, CreatedKey, KeyList, NodeClock, Stats, hash_of

HASH_LENGTH = 43
_HASH_LETTERS = f"{string.ascii_letters}{string.digits}-_".encode()
_is_hash = re.compile(rf"[0-9A-Za-z_-]{{{HASH_LENGTH}}}").fullmatch
# Nothing else has ever been a token; and only this may go into a path as it is.
_is_token = re.compile(r"EST[0-9A-Za-z_-]{1,250}ARY").fullmatch
# Bad JSON, bad UTF-8, a wrong shape, thousands of digits or of levels.
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Row(msgspec.Struct, rename="camel", gc=False):
    """A key in the list. It may hold a token, so it shows nothing of itself."""

    expiry: _Moment
    token: str = ""
    token_hash: str = ""
    label: str = ""
    is_session: bool = False

    def __repr__(self) -> str:
        return "<row>"


class NewKey(msgspec.Struct, rename="camel"):
    """A key just created: its expiry has up to 9 digits, which `_Moment` would round."""

    expiry: str
    token: str = ""
    token_hash: str = ""
    label: str = ""

    def __repr__(self) -> str:
        return "<new key>"


class Figures(msgspec.Struct, rename="camel"):
    """The answer of `/user/stats`; `total_size` is in bytes."""

    total_size: _Count
    num_pins: _Count


_rows_decoder = msgspec.json.Decoder(list[Row])
_raw_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_row_decoder = msgspec.json.Decoder(Row)
_new_key_decoder = msgspec.json.Decoder(NewKey)
_figures_decoder = msgspec.json.Decoder(Figures)


def _problem_of(error: Exception) -> Problem:
    """The fault of a document that raised one of _UNREADABLE."""
    return "shape" if isinstance(error, msgspec.ValidationError) else "json"


class Listing(NamedTuple):
    """The keys, and the tokens of those among the wanted ones that only their token revokes."""

    keys: KeyList
    tokens: dict[str, Secret]


def read_keys(
    body: bytes, clock: NodeClock | None = None, wanted: Container[str] = ()
) -> Listing | Problem:
    """The list of keys; `wanted` are the hashes of those that are to be revoked.

    A row that cannot be trusted is counted and left out; when no row can, neither can the list.
    Of rows with the same hash the first counts.
    """
    keys: dict[str, ApiKey] = {}
    tokens: dict[str, Secret] = {}
    unreadable = 0
    try:
        rows = _each(body)
        if isinstance(rows, list) and (current := _current(rows)):
            return Listing(KeyList(current, clock=clock), {})
        for row in rows:
            key = key_of(row)
            if key is None:
                unreadable += 1
            elif key.token_hash not in keys:
                keys[key.token_hash] = key
                if row and key.needs_token and key.token_hash in wanted:
                    tokens[key.token_hash] = Secret(row.token)
    except _UNREADABLE as error:
        return _problem_of(error)
    if unreadable and not keys:
        return "shape"
    return Listing(KeyList(tuple(keys.values()), unreadable, clock), tokens)


def _each(body: bytes) -> Iterable[Row | None]:
    """All rows at once; or one by one, with None for a bad one, when one of them is bad."""
    try:
        return _rows_decoder.decode(body)
    except _UNREADABLE:
        return map(_decoded, _raw_rows_decoder.decode(body))


def _decoded(raw: msgspec.Raw) -> Row | None:
    try:
        return _row_decoder.decode(raw)
    except _UNREADABLE:
        return None


def _current(rows: list[Row]) -> tuple[ApiKey, ...]:
    """Keys of rows that are all as current nodes make them, looked at together; else none.

    What `key_of` asks of each row, in a third of the time.
    """
    if {row.token for row in rows} != {""}:
        return ()
    hashes, expiries = [row.token_hash for row in rows], [row.expiry for row in rows]
    labels = " ".join([row.label for row in rows])
    are_good = (
        set(map(len, hashes)) == {HASH_LENGTH}
        and not "".join(hashes).encode().translate(None, _HASH_LETTERS)
        and len(set(hashes)) == len(hashes)
        and {expiry.tzinfo for expiry in expiries} == {UTC}
        and min(expiries).year > 1
        and max(expiries).year < 9999
        and not holds_token(labels)
        and not hides_token(labels)
    )
    if not are_good:
        return ()
    return tuple([ApiKey(row.token_hash, row.label, row.expiry, row.is_session) for row in rows])


def key_of(row: Row | None) -> ApiKey | None:
    """One row, or None when it cannot be trusted.

    Rows made by v0.1.10 and before have the plain token and no hash, by v0.1.11 both, by later
    ones the hash alone; a current node lists all three side by side. The outermost years are
    refused: shown in a local time they would leave the calendar. Some people put a token into a
    label; it goes no further.
    """
    if row is None or not 1 < row.expiry.year < 9999:
        return None
    label = redact_label(row.label)
    expiry = row.expiry if row.expiry.tzinfo is UTC else row.expiry.astimezone(UTC)
    if not row.token:
        if not _is_hash(row.token_hash):
            return None
        return ApiKey(row.token_hash, label, expiry, row.is_session)
    if own := _hash(row):
        return ApiKey(
            own, label, expiry, row.is_session, is_legacy=True, needs_token=not row.token_hash
        )
    return None


def _hash(row: Row) -> str:
    """Our own hash of a row's token; "" when it is no token, or Estuary's hash is another."""
    if not _is_token(row.token):
        return ""
    own = hash_of(row.token)
    return own if row.token_hash in {"", own} else ""


def loads(body: bytes) -> object:
    """The JSON document, or None when it is none: bad UTF-8, NaN, thousands of levels."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        return None


def read_created(body: bytes, clock: NodeClock | None = None) -> CreatedKey | Problem:
    """The key just made, with its token."""
    try:
        made = _new_key_decoder.decode(body)
        row = Row(_moment(made.expiry), made.token, made.token_hash, made.label)
    except _UNREADABLE as error:
        return _problem_of(error)
    key = key_of(row) if row.token else None
    if key is None:
        return "shape"
    return CreatedKey(key.token_hash, key.label, key.expiry, row.token, clock)


def _moment(text: str) -> datetime:
    """A moment with up to 9 digits of fraction, cut to microseconds as PostgreSQL keeps them."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise msgspec.ValidationError("This is no moment.") from None
    if moment.tzinfo is None:
        raise msgspec.ValidationError("This moment has no zone.")
    return moment


def read_stats(body: bytes, clock: NodeClock | None = None) -> Stats | Problem:
    """The two numbers, which go beyond 2^53 but not beyond 63 bits."""
    try:
        figures = _figures_decoder.decode(body)
    except _UNREADABLE as error:
        return _problem_of(error)
    return Stats(figures.total_size, figures.num_pins, clock)
