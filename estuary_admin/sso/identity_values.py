"""A proved identity, and the checks that each of its values is one plain, bounded text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from estuary_admin.sso.refusals import NotBelieved, Refused

MAX_VALUE_LENGTH = 254
MAX_USERNAME_LENGTH = 150  # the limit of Django's User.username
MAX_GROUPS_LENGTH = 8190  # the server's limit for a header


@dataclass(frozen=True, slots=True)
class ProvedIdentity:
    """The person whom the source names. `groups` is None when it says nothing about groups."""

    source: str
    stable_id: str
    username: str
    name: str
    email: str
    groups: frozenset[str] | None
    at: datetime | None = None  # when the person last signed in at the source, if it says so


def meta_key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def header_of(meta: Mapping[str, Any], header: str) -> str | None:
    """The header's text in UTF-8, as proxies send it; None when it is absent or not configured."""
    raw = meta.get(meta_key(header)) if header else None
    if raw is None:
        return None
    try:
        return str(raw).encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise Refused(NotBelieved.MALFORMED) from None


def checked(
    value: object, max_length: int = MAX_VALUE_LENGTH, *, allow_commas: bool = False
) -> str:
    """Return the value or raise Refused. A comma may mean that a server joined two headers."""
    if not isinstance(value, str):
        raise Refused(NotBelieved.MALFORMED)
    if len(value) > max_length or value != value.strip() or ("," in value and not allow_commas):
        raise Refused(NotBelieved.MALFORMED)
    # Control, format (invisible and right-to-left marks), surrogate, private use, unassigned.
    if any(unicodedata.category(char).startswith("C") for char in value):
        raise Refused(NotBelieved.MALFORMED)
    return value


def username_of(value: object) -> str:
    """Normalise a name. The result is checked as well, because NFKC can produce a comma."""
    text = unicodedata.normalize("NFKC", checked(value)).casefold()
    return checked(text, MAX_USERNAME_LENGTH)


def groups_in(text: str | None, separator: str) -> frozenset[str] | None:
    """None when the source says nothing about groups; empty when the person is in none."""
    if text is None:
        return None
    checked(text, MAX_GROUPS_LENGTH, allow_commas=True)
    return frozenset(group.strip() for group in text.split(separator) if group.strip())


def masked(value: str) -> str:
    """Enough to recognise one's own value, too little to use it."""
    return f"{value[:2]}… ({len(value)} characters)" if value else "empty"
