"""The shapes of Estuary's JSON. Unknown fields are ignored, missing ones have plain defaults."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from .errors import Problem

# RFC 3339 with a zone.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Row(msgspec.Struct, rename="camel", gc=False):
    """A key in the list. It may hold a token, so it shows nothing of itself."""

    expiry: Moment
    token: str = ""
    token_hash: str = ""
    label: str = ""
    is_session: bool = False

    def __repr__(self) -> str:
        return "<row>"


class Made(msgspec.Struct, rename="camel"):
    """A key just created: its expiry has up to 9 digits, which `Moment` would round."""

    expiry: str
    token: str = ""
    token_hash: str = ""
    label: str = ""

    def __repr__(self) -> str:
        return "<made>"


class Figures(msgspec.Struct, rename="camel"):
    total_size: Count
    num_pins: Count


rows = msgspec.json.Decoder(list[Row])
raw_rows = msgspec.json.Decoder(list[msgspec.Raw])
row = msgspec.json.Decoder(Row)
made = msgspec.json.Decoder(Made)
figures = msgspec.json.Decoder(Figures)

#: Bad JSON, bad UTF-8, a wrong shape, thousands of digits or of levels.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


def problem_of(error: Exception) -> Problem:
    """What is wrong with a document that raised one of UNREADABLE."""
    return "shape" if isinstance(error, msgspec.ValidationError) else "json"
