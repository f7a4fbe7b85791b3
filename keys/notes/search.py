"""How text is compared in searches: without regard to case and spelling in Unicode."""

from __future__ import annotations

import unicodedata


def comparable(text: str) -> str:
    """Casefolded, and with one of the two ways in which Unicode writes an é."""
    folded = text.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)
