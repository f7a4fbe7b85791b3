"""Reading keys out of pasted text: tokens become hashes, and the text is not kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.views.decorators.debug import sensitive_variables

from estuary_admin.unicode_text import without_invisible
from keys.upstream import hash_of
from keys.upstream.redaction import Secret, whole_tokens

MAX_TEXT_LENGTH = 200_000
MAX_KEYS_PER_TEXT = 20
_hashes = re.compile(r"(?<![0-9A-Za-z_-])[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])").findall
_is_fingerprint = re.compile(r"[0-9A-Za-z_-]{8,42}").fullmatch
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
    if found := whole_tokens(text.replace("%2D", "-").replace("%2d", "-")):
        return found
    # Mails and terminals break a long token into lines.
    joined = "".join(without_invisible(text).split())
    return [joined] if _is_token(joined) else whole_tokens(joined)
