"""Unicode text as people see it: invisible characters, and two spellings of the same letter."""

from __future__ import annotations

import re
import unicodedata

MAX_COMPARED_CHARACTERS = 4000  # more than all fields of a note together
#: Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which Python does not know.
_is_ignorable = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
).match
#: Control, format, surrogate, line and paragraph separators.
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
#: The blank Braille pattern, the null note head and the Khitan filler: by category they show.
_BLANK_SYMBOLS = "\u2800\U0001d159\U00016fe4"


def without_invisible(text: str) -> str:
    """The text without what shows nothing; line breaks go too, blanks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char for char in text if not is_invisible(char))


def is_invisible(char: str) -> bool:
    """Whether a character shows nothing and takes no room."""
    return bool(_is_ignorable(char)) or unicodedata.category(char) in _INVISIBLE_CATEGORIES


def shows_something(text: str) -> bool:
    """Whether a reader sees anything of the text."""
    return any(
        not (char.isspace() or char in _BLANK_SYMBOLS or is_invisible(char)) for char in text
    )


def comparable(text: str) -> str:
    """Casefolded, and with one of the two ways in which Unicode writes an é."""
    # Normalising takes quadratic time for combining characters, and labels may have any length.
    folded = text[:MAX_COMPARED_CHARACTERS].casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)
