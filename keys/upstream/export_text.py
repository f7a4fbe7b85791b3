"""What can be told of an export's text piece by piece: that it is UTF-8, and that it closes."""

from __future__ import annotations

import re
from codecs import utf_8_decode

# Texts of 128 KiB and more are fresh memory from the kernel each time, which costs more than the
# reading; a text with one emoji in it takes four bytes for each letter.
_STEP = 24 * 1024
_MARKS = re.compile(rb'\\.|["{}]', re.DOTALL)


class Utf8:
    """Whether the pieces make up UTF-8: what is none is no JSON, and no program would read it."""

    def __init__(self) -> None:
        self._rest = b""  # of a letter that the last piece only began

    def goes_on(self, piece: bytes) -> bool:
        """Look at the next piece, of which b"" is the last."""
        if not piece:
            return not self._rest
        piece = self._rest + piece
        view, at, taken = memoryview(piece), 0, 1
        try:
            while taken:
                _, taken = utf_8_decode(view[at : at + _STEP], "strict", False)
                at += taken
        except UnicodeDecodeError:
            return False
        self._rest = piece[at:]
        return True


class Depth:
    """Counts open braces, for a reply whose end nothing marks: neither a length nor a last chunk.

    Slow (some 10 MB a second), and never needed with Estuary itself.
    """

    def __init__(self) -> None:
        self._open = 0
        self._in_text = False
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        """Go on with the next piece."""
        chunk = self._rest + chunk
        backslashes = len(chunk) - len(chunk.rstrip(b"\\"))
        self._rest = chunk[len(chunk) - backslashes % 2 :]
        for mark in _MARKS.findall(chunk[: len(chunk) - backslashes % 2]):
            if mark == b'"':
                self._in_text = not self._in_text
            elif not self._in_text and len(mark) == 1:
                self._open += 1 if mark == b"{" else -1

    @property
    def is_closed(self) -> bool:
        """Whether every brace and text that was opened is closed."""
        return not (self._open or self._in_text or self._rest)
