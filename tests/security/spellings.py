"""The ways in which a token may be written in a text, and a search for all of them."""

from __future__ import annotations

import base64
from urllib.parse import quote


def assert_holds_none(text: str, tokens: list[str], where: str = "") -> None:
    """None of the tokens is in the text, in any of its spellings."""
    found = [
        text[max(0, text.index(spelling) - 150) : text.index(spelling) + 20]
        for token in tokens
        for spelling in spellings(token)
        if spelling in text
    ]
    assert not found, f"{where}: {found[0]!r}"


def spellings(token: str) -> set[str]:
    """Bare, percent-encoded in part or whole, in hexadecimal, in base64 at any place of a text."""
    bare, raw = token[3:-3], token.encode()
    escaped = "".join(f"%{byte:02X}" for byte in raw)
    found = {token, bare, bare.replace("-", ""), quote(bare).replace("-", "%2D"), escaped}
    found |= {raw.hex(), escaped.lower(), quote(bare).replace("-", "%2d")}
    for shift in range(3):
        # Without the characters that depend on what is before and after it.
        inside = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift] : -4].decode()
        found |= {inside, inside.replace("+", "-").replace("/", "_")}
    return found
