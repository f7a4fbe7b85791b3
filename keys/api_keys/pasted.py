"""Reading keys out of pasted text: tokens become hashes, and the text is not kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from string import ascii_letters, digits

from django.views.decorators.debug import sensitive_variables

from estuary_admin.unicode_text import without_invisible
from keys.upstream import hash_of
from keys.upstream.redaction import Secret, whole_tokens

MAX_TEXT_LENGTH = 200_000
MAX_KEYS_PER_TEXT = 20
_hashes = re.compile(r"(?<![0-9A-Za-z_-])[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])").findall
_is_fingerprint = re.compile(r"[0-9A-Za-z_-]{8,42}").fullmatch
_escaped_dash = re.compile(r"%2d|\\u002d", re.IGNORECASE)  # in addresses, in JSON
_line_break = re.compile(r"\r\n?|\n")
_TOKEN_CHARACTERS = f"{ascii_letters}{digits}-_"
_is_token = re.compile(r"EST[0-9A-Za-z-]{20,200}ARY").fullmatch


@dataclass(frozen=True, slots=True)
class PastedKeys:
    """The keys that a text names: by token, by hash, or one by its fingerprint."""

    hashes: tuple[str, ...] = ()
    fingerprint: str = ""
    left_out: int = 0  # how many keys there are beyond MAX_KEYS_PER_TEXT
    tokens: dict[str, Secret] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.hashes or self.fingerprint)

    def may_be(self, other: PastedKeys | None) -> bool:
        """Whether the first key here can be the one that the other text names, if it names one."""
        named = (*other.hashes, other.fingerprint)[0] if other else ""
        return self.hashes[0].startswith(named)


@sensitive_variables()
def keys_in(text: str) -> PastedKeys:
    """The keys in a text, in linear time; static/js/find.js finds the same."""
    tokens = {hash_of(token): Secret(token) for token in _tokens_in(text)}
    found = list(dict.fromkeys([*tokens, *_hashes(text)]))
    kept = tuple(found[:MAX_KEYS_PER_TEXT])
    word = text.strip()
    return PastedKeys(
        hashes=kept,
        fingerprint=word if not found and _is_fingerprint(word) else "",
        left_out=len(found) - len(kept),
        tokens={token_hash: tokens[token_hash] for token_hash in kept if token_hash in tokens},
    )


@sensitive_variables()
def _tokens_in(text: str) -> list[str]:
    text = _escaped_dash.sub("-", text)
    # Mails, logs and terminals break a long token into lines, also beside a whole one.
    if found := whole_tokens(_in_one_line(text)) + whole_tokens(text):
        return list(dict.fromkeys(found))
    joined = "".join(without_invisible(text).split())
    return [joined] if _is_token(joined) else whole_tokens(joined)


@sensitive_variables()
def _in_one_line(text: str) -> str:
    """The text without line breaks: also without the `=` by which quoted-printable marks one, and
    without what all lines of a log begin with, such as `app | `.
    """
    pieces, before = [], ""
    for line in _line_break.split(text):
        pieces.append(line[_shared_length(before, line) :].strip().removesuffix("="))
        before = line
    return without_invisible("".join(pieces))


@sensitive_variables()
def _shared_length(one: str, other: str) -> int:
    """The length of the beginning that two lines share, up to a character that no token has."""
    pairs = enumerate(zip(one, other, strict=False))
    length = next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))
    return len(one[:length].rstrip(_TOKEN_CHARACTERS))
