"""A proved identity, and the checks of its values.

A value that identifies a person is refused when it is not one plain, visible, bounded text. A
value that decides nothing, such as a display name, is left empty instead.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from estuary_admin.sso.refusals import NotBelieved, Reason, Refused

MAX_VALUE_LENGTH = 254
MAX_USERNAME_LENGTH = 150  # the limit of Django's User.username
MAX_GROUPS_LENGTH = 32_768  # the server's limit for a header

#: Unicode's Default_Ignorable_Code_Point, which Python's unicodedata does not know.
DEFAULT_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
#: Symbols without ink: the blank Braille pattern and the null note head.
BLANK_SYMBOLS = "\u2800\U0001d159"
INVISIBLE = re.compile(f"[{DEFAULT_IGNORABLE}{BLANK_SYMBOLS}]")
ENCODED_WORD = re.compile(r"=\?utf-8\?([qb])\?([!->@-~]*)\?=", re.ASCII | re.IGNORECASE)


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


def header_of(
    meta: Mapping[str, Any], header: str, *, is_rfc2047: bool = False, errors: str = "strict"
) -> str | None:
    """The header's text in UTF-8, as proxies send it; None when it is absent or not configured."""
    raw = meta.get(meta_key(header)) if header else None
    if raw is None:
        return None
    try:
        text = str(raw).encode("latin-1").decode("utf-8", errors)
        return decoded_words(text) if is_rfc2047 else text
    except UnicodeError:
        raise Refused(NotBelieved.MALFORMED) from None


def decoded_words(text: str) -> str:
    """Decode RFC 2047, as Go's `mime.QEncoding` writes it; other text stays as it is."""
    words = text.split(" ")
    if not text.startswith("=?"):
        return text
    return b"".join(_decoded_word(word) for word in words).decode("utf-8")


def _decoded_word(word: str) -> bytes:
    if not (found := ENCODED_WORD.fullmatch(word)):
        raise Refused(NotBelieved.MALFORMED)
    try:
        if found[1] in "bB":
            return base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise Refused(NotBelieved.MALFORMED) from None
    return quopri.decodestring(found[2].encode(), header=True)


def checked(
    value: object,
    max_length: int = MAX_VALUE_LENGTH,
    *,
    allow_commas: bool = False,
    reason: Reason = NotBelieved.MALFORMED,
) -> str:
    """Return the value or raise Refused. A comma may mean that a server joined two headers."""
    if not isinstance(value, str):
        raise Refused(reason)
    if len(value) > max_length or value != value.strip() or ("," in value and not allow_commas):
        raise Refused(reason)
    # Control, format (such as right-to-left marks), surrogate, private use, unassigned.
    if INVISIBLE.search(value) or any(unicodedata.category(char)[0] == "C" for char in value):
        raise Refused(reason)
    if value and not any(unicodedata.category(char)[0] in "LNPS" for char in value):
        raise Refused(reason)
    return value


def username_of(value: object, reason: Reason = NotBelieved.MALFORMED) -> str:
    """Return the member's name: the value in lower case, in Unicode's form NFKC."""
    text = unicodedata.normalize("NFKC", checked(value, reason=reason)).casefold()
    return checked(text, MAX_USERNAME_LENGTH, reason=reason)  # NFKC can produce a comma.


def is_ambiguous(value: str) -> bool:
    """Whether the value looks like another one, such as fullwidth letters like Latin ones."""
    return unicodedata.normalize("NFKC", value) != value


def or_empty(read: Callable[[], str]) -> str:
    """The value, or "" when it is malformed: it decides nothing."""
    try:
        return read()
    except Refused:
        return ""


def groups_in(text: str | None, separator: str) -> frozenset[str] | None:
    """None when the source says nothing about groups; empty when the person is in none."""
    if text is None:
        return None
    if len(text) > MAX_GROUPS_LENGTH or any(unicodedata.category(char) == "Cc" for char in text):
        raise Refused(NotBelieved.MALFORMED)
    return frozenset(group.strip() for group in text.split(separator) if group.strip())


def masked(value: str) -> str:
    """Enough to recognise one's own value, too little to use it."""
    return f"{value[:2]}… ({len(value)} characters)" if value else "empty"
