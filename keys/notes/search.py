"""How text is compared in searches: without regard to case and spelling in Unicode."""

from __future__ import annotations

import unicodedata

MAX_COMPARED_CHARACTERS = 4000  # more than all fields of a note together


def comparable(text: str) -> str:
    """Casefolded, and with one of the two ways in which Unicode writes an é."""
    # Normalising takes quadratic time for combining characters, and labels may have any length.
    folded = text[:MAX_COMPARED_CHARACTERS].casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)
