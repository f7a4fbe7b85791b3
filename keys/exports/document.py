"""Reads an export as a stream: in constant memory, record by record, and strictly to its end.

msgspec parses ten times as fast as a parser of events, but only whole texts. So the records of an
array are cut into blocks, and each block is parsed as an array of its own. A cut in a wrong place
cannot go unnoticed: if `[` + block + `]` is valid JSON, the block ends between two records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

#: More than any record of Estuary's; without an end until here the text counts as malformed.
MAX_RECORD_BYTES = 32 * 1024 * 1024
#: Wrong places that are tried in one block, such as the end of an array within a record.
MAX_TRIES = 64
_FIRST_LOOK = 4096  # bytes: enough for every key and for the values outside the arrays
_GUESS_BYTES = 16 * 1024  # several records at the end of a block
_SPACE = b" \t\r\n"
#: Given twice in one object they would be counted twice, and other programs read the last alone.
_UNIQUE_NAMES = frozenset(("Version", "Date", "Version1", "Contents", "Deals"))
#: Where a record may end: before the array's end, or before another record.
_record_end = re.compile(rb"\}[ \t\r\n]*(\]|,(?=[ \t\r\n]*\{))")
_escapes = re.compile(rb"\\.", re.DOTALL)
_place_of_fault = re.compile(r"\(byte (\d+)\)")  # in the messages of msgspec

#: Takes the text of an array; raises ValueError.
Decode = Callable[[bytes], list[Any]]


class Malformed(Exception):
    """The text is no export; `problem` is "cut" when it ends too early, else "json" or "shape"."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class Document:
    """An export's text: iterate it once for its records, in blocks, with the name of their array.

    `decode` names the arrays that are wanted, and how each is parsed. Raises Malformed.
    """

    def __init__(self, pieces: Iterable[bytes], decode: dict[str, Decode]) -> None:
        self.version = ""
        self.date = ""
        self._pieces = iter(pieces)
        self._decode = decode
        self._data = b""
        self._at = 0

    def __iter__(self) -> Iterator[tuple[str, list[Any]]]:
        seen: set[str] = set()
        for name in self._members():
            if name != "Version1":
                self._note(name, self._value())
                continue
            for inner in self._members():
                if inner in self._decode:
                    seen.add(inner)
                    yield from ((inner, block) for block in self._blocks(self._decode[inner]))
                else:
                    self._value()
        if seen != set(self._decode) or not self.version:
            raise Malformed("shape")
        if self._next_byte(or_end=True):
            raise Malformed("json")

    def _note(self, name: str, value: object) -> None:
        if name not in {"Version", "Date"}:
            return
        # Not every database stores other characters, and the manifest must be readable.
        if not isinstance(value, str) or not value.isprintable():
            raise Malformed("shape")
        if name == "Version":
            self.version = value
        else:
            self.date = value

    def _members(self) -> Iterator[str]:
        """The names in an object; the caller reads each value before it takes the next name."""
        self._take(b"{")
        if self._next_byte() == b"}":
            self._at += 1
            return
        seen: set[str] = set()
        while True:
            name = self._value()
            if not isinstance(name, str):
                raise Malformed("json")
            if name in seen:
                raise Malformed("shape")
            if name in _UNIQUE_NAMES:
                seen.add(name)
            self._take(b":")
            yield name
            if self._next_byte() == b"}":
                self._at += 1
                return
            self._take(b",")

    def _blocks(self, decode: Decode) -> Iterator[list[Any]]:
        if self._next_byte() == b"n":  # Go's empty list may be null
            self._value()
            return
        self._take(b"[")
        if self._next_byte() == b"]":
            self._at += 1
            return
        is_last = False
        while not is_last:
            if self._next_byte() != b"{":
                raise Malformed("shape")
            block, is_last = self._block(decode)
            yield block

    def _block(self, decode: Decode) -> tuple[list[Any], bool]:
        """As many records as are here, and whether they are the array's last ones."""
        while True:
            for end, mark, after in self._possible_ends():
                text = b"[%b]" % self._data[self._at : end]
                try:
                    block = decode(text)
                except RecursionError:
                    raise Malformed("json") from None
                except ValueError as error:
                    if _is_before_end(error, text):
                        raise Malformed("json") from None
                    continue
                self._at = after
                return block, mark == b"]"
            if len(self._data) - self._at > MAX_RECORD_BYTES:
                raise Malformed("json")
            is_whole = self._data.rstrip().endswith(b"}}")  # it ends as an export does
            try:
                self._more()
            except Malformed:
                raise Malformed("json" if is_whole else "cut") from None

    def _possible_ends(self) -> Iterator[tuple[int, bytes, int]]:
        """Ends of records: a quick guess, then those outside strings, the array's end first."""
        tail = max(self._at, len(self._data) - _GUESS_BYTES)
        guesses = list(_record_end.finditer(self._data, tail))
        if guesses and guesses[-1][1] == b",":
            yield guesses[-1].start() + 1, b",", guesses[-1].end()
        yield from self._ends_outside_strings()

    def _ends_outside_strings(self) -> Iterator[tuple[int, bytes, int]]:
        ends: list[tuple[int, bytes, int]] = []
        at, is_in_string, tries = self._at, False, 0
        for match in _record_end.finditer(self._data, at):
            is_in_string ^= _has_odd_quotes(self._data[at : match.start()])
            at = match.start()
            if is_in_string:
                continue
            end = match.start() + 1, match[1], match.end()
            if match[1] == b"]" and tries < MAX_TRIES:
                tries += 1
                yield end
            ends.append(end)
        yield from reversed(ends[-MAX_TRIES:])

    def _value(self) -> Any:
        """A value outside the arrays, which is short."""
        self._next_byte()
        size = _FIRST_LOOK
        while True:
            text = self._data[self._at : self._at + size].decode(errors="ignore")
            try:
                value, end = _decoder.raw_decode(text)
            except RecursionError:
                raise Malformed("json") from None
            except ValueError:
                end = len(text)
            # A number might go on: at the end of the text, and with a fraction that is cut.
            if end < len(text) and text[end] not in ".eE":
                self._at += len(text[:end].encode())
                return value
            if size > MAX_RECORD_BYTES:
                raise Malformed("json")
            if len(self._data) - self._at <= size:
                self._more()
            else:
                size *= 2

    def _take(self, wanted: bytes) -> None:
        if self._next_byte() != wanted:
            raise Malformed("json")
        self._at += 1

    def _next_byte(self, *, or_end: bool = False) -> bytes:
        """The next byte that is no white space, without taking it."""
        while True:
            while self._at < len(self._data):
                byte = self._data[self._at : self._at + 1]
                if byte not in _SPACE:
                    return byte
                self._at += 1
            try:
                self._more()
            except Malformed:
                if or_end:
                    return b""
                raise

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise Malformed("cut")
        self._data, self._at = self._data[self._at :] + piece, 0


def _refuse_constant(_: str) -> None:
    raise Malformed("json")


# Python refuses to read very long integers, and reads NaN, which is no JSON.
_decoder = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)


def _is_before_end(error: ValueError, text: bytes) -> bool:
    """Whether the fault of a block is before its end: then no other end helps.

    Another end helps when the text is too short, or when it goes beyond the array.
    """
    words = str(error)
    if "truncated" in words or "trailing characters" in words:
        return False
    place = _place_of_fault.search(words)
    return place is None or int(place[1]) < len(text) - 1


def _has_odd_quotes(text: bytes) -> bool:
    if b"\\" in text:
        text = _escapes.sub(b"", text)
    return bool(text.count(b'"') % 2)
