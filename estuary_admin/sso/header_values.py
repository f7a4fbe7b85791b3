"""Single values from headers and claims: one, bounded, without anything that could be two."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from estuary_admin.sso.identity_errors import NotBelieved
from estuary_admin.sso.reasons import Refused

LONGEST = 254
LONGEST_NAME = 150  # what a member's name may have
LONGEST_GROUPS = 8190  # what the server lets a header have


def meta_key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def header_of(meta: Mapping[str, Any], header: str) -> str | None:
    """A header's text, UTF-8 as proxies send it; None if it is absent or not named."""
    raw = meta.get(meta_key(header)) if header else None
    if raw is None:
        return None
    try:
        return str(raw).encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise Refused(NotBelieved.MALFORMED) from None


def checked(value: object, longest: int = LONGEST, *, commas: bool = False) -> str:
    """The value itself, or Refused; commas are what servers join a doubled header with."""
    if not isinstance(value, str):
        raise Refused(NotBelieved.MALFORMED)
    if len(value) > longest or value != value.strip() or ("," in value and not commas):
        raise Refused(NotBelieved.MALFORMED)
    # Control, format (among them invisible and turning ones), surrogate, private, unassigned.
    if any(unicodedata.category(char).startswith("C") for char in value):
        raise Refused(NotBelieved.MALFORMED)
    return value


def name_of(value: object) -> str:
    """A member's name as we keep it; looked at again, for NFKC can bring a comma forth."""
    text = unicodedata.normalize("NFKC", checked(value)).casefold()
    return checked(text, LONGEST_NAME)


def groups_in(text: str | None, separator: str) -> frozenset[str] | None:
    """None: nothing was said about groups; empty: there are none."""
    if text is None:
        return None
    checked(text, LONGEST_GROUPS, commas=True)
    return frozenset(group.strip() for group in text.split(separator) if group.strip())


def masked(value: str) -> str:
    """Enough to recognise one's own value by, too little to use or to publish."""
    return f"{value[:2]}… ({len(value)} characters)" if value else "empty"
