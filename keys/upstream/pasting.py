"""Tokens where people paste them: into a search, into an address."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from .types import hash_of

# What stands between is in lower case in every token, so that a label in capitals is a label.
_TOKEN = re.compile(r"EST([0-9a-z_-]{8,}|[0-9A-F-]{36})ARY")


def pasted_token(text: str) -> str:
    """The first whole token in a text, or "" when there is none."""
    found = _TOKEN.search(text)
    return found.group() if found else ""


def with_hashes(address: str) -> str:
    """A path with its query, each token in it replaced by its hash, which is not secret."""
    plain = unquote(address)
    if not pasted_token(plain):
        return address
    return quote(_TOKEN.sub(lambda token: hash_of(token.group()), plain), safe="/?&=+")
