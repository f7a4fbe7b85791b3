"""Tokens that members paste where a search or a filter is expected."""

from __future__ import annotations

from collections.abc import Iterable

from estuary_admin.unicode_text import without_invisible
from keys.upstream.redaction import pasted_token


def token_in(texts: Iterable[str]) -> str:
    """The first of these texts that is a whole token, without what cannot be seen; or ""."""
    found = (pasted_token(without_invisible(text)) for text in texts)
    return next(filter(None, found), "")
