"""Estuary's JSON turned into our types; what cannot be trusted does not get through.

These functions return a word for the problem instead of raising: a traceback holds the frames it
passed, and theirs hold what Estuary sent, tokens included.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from . import documents
from .documents import UNREADABLE, Row, problem_of
from .errors import Problem
from .listing import key_of
from .types import CreatedKey, NodeClock, Stats


def loads(body: bytes) -> object:
    """The JSON document, or None when it is none: bad UTF-8, NaN, thousands of levels."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return None


def read_created(body: bytes, clock: NodeClock | None = None) -> CreatedKey | Problem:
    """The key just made, with its token."""
    try:
        made = documents.made.decode(body)
        row = Row(_moment(made.expiry), made.token, made.token_hash, made.label)
    except UNREADABLE as error:
        return problem_of(error)
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
        figures = documents.figures.decode(body)
    except UNREADABLE as error:
        return problem_of(error)
    return Stats(figures.total_size, figures.num_pins, clock)
