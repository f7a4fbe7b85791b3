"""Estuary's JSON turned into our types; what cannot be trusted does not get through.

These functions return a word for the problem instead of raising: a traceback holds the frames it
passed, and theirs hold what Estuary sent, tokens included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn, TypeGuard

from .errors import Problem
from .redaction import Secret
from .types import ApiKey, CreatedKey, KeyList, Stats, hash_of

_is_moment = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_is_hash = re.compile(r"[0-9A-Za-z_-]{43}").fullmatch
# Nothing else has ever been a token; and only this may go into a path as it is.
_is_token = re.compile(r"EST[0-9A-Za-z_-]{1,250}ARY").fullmatch
_UNTRUSTED = (KeyError, TypeError, ValueError, AttributeError)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON.")


_decoder = json.JSONDecoder(parse_constant=_refuse)


def loads(body: bytes) -> Any:
    """The JSON document, or None when it is none: bad UTF-8, NaN, thousands of digits or levels."""
    try:
        return _decoder.decode(body.decode())
    except (ValueError, RecursionError):
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
    rows = loads(body)
    if type(rows) is not list:
        return "json" if rows is None else "shape"
    keys: dict[str, ApiKey] = {}
    tokens: dict[str, Secret] = {}
    unreadable = 0
    for row in rows:
        key = _key(row)
        if key is None:
            unreadable += 1
        elif key.token_hash not in keys:
            keys[key.token_hash] = key
            if key.needs_token and key.token_hash in wanted:
                tokens[key.token_hash] = Secret(row["token"])
    if unreadable and not keys:
        return "shape"
    return Listing(KeyList(tuple(keys.values()), unreadable), tokens)


def _key(row: Any) -> ApiKey | None:
    """One row, or None when it cannot be trusted.

    Rows made by v0.1.10 and before have the token in clear and no hash, by v0.1.11 both, by later
    ones the hash alone; a current node lists all three side by side.
    """
    try:
        token, token_hash = row.get("token", ""), row.get("tokenHash", "")
        label, is_session = row.get("label", ""), row.get("isSession", False)
        label.encode()  # half a character would fail only when the page is written
        if type(is_session) is not bool or type(token_hash) is not str:
            return None
        if token == "":
            if not _is_hash(token_hash):
                return None
            return ApiKey(token_hash, label, _moment(row["expiry"]), is_session)
        own = _hash(token, token_hash)
        return ApiKey(own, label, _moment(row["expiry"]), is_session, True, not token_hash)
    except _UNTRUSTED:
        return None


def _hash(token: Any, told: Any) -> str:
    """Our own hash of a token; ValueError when it is no token, or Estuary's hash is another."""
    if not _is_token(token):
        raise ValueError("This is no token.")
    own = hash_of(token)
    if told not in ("", own):
        raise ValueError("This is not the hash of that token.")
    return own


def _moment(text: Any) -> datetime:
    """RFC 3339 with up to 9 fraction digits, in UTC; ValueError for anything else.

    The outermost years are refused: shown in a local time they would leave the calendar.
    """
    if not _is_moment(text):
        raise ValueError("This is no moment.")
    moment = datetime.fromisoformat(text)
    if not 1 < moment.year < 9999:
        raise ValueError("This year is out of range.")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def read_created(body: bytes) -> CreatedKey | Problem:
    """The key just made, with its token."""
    data = loads(body)
    if data is None:
        return "json"
    try:
        token, label = data["token"], data.get("label", "")
        label.encode()
        own = _hash(token, data.get("tokenHash", ""))
        return CreatedKey(own, label, _moment(data["expiry"]), token)
    except _UNTRUSTED:
        return "shape"


def read_stats(body: bytes) -> Stats | Problem:
    """The two numbers, which go beyond 2^53 but not beyond 63 bits."""
    data = loads(body)
    if data is None:
        return "json"
    if type(data) is not dict:
        return "shape"
    size, pins = data.get("totalSize"), data.get("numPins")
    return Stats(size, pins) if _is_count(size) and _is_count(pins) else "shape"


def _is_count(number: Any) -> TypeGuard[int]:
    return type(number) is int and 0 <= number < 2**63
