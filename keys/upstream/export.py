"""An account's export, passed on as it comes.

Estuary builds the whole document in memory before it sends the first byte, and gives no length
(Estuary `handlers.go`, 2023-05). Only the end of the document tells whether it is complete.
"""

from __future__ import annotations

import re
from codecs import utf_8_decode
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import Self

from urllib3 import BaseHTTPResponse

from .adapter import READ_SIZE, Reply, is_json, node_clock, read_reply
from .deadlines import Deadline
from .error_mapping import attempt
from .errors import Problem, UnexpectedReply, UpstreamUnavailable

_START_LENGTH = 64  # bytes by which an export is recognised
# Each piece costs the same few calls from here to the browser, so large ones are cheaper; but a
# slow node's bytes must be passed on before the browser gives up.
_MIN_READ, _MAX_READ = 16 * 1024, 512 * 1024
_QUICK_SECONDS, _SLOW_SECONDS = 0.25, 2.0
_is_export = re.compile(rb'\s*\{\s*"Version"').match
# Strings of 128 KiB and more are new memory from the kernel each time, which costs more than the
# reading; a string with one emoji in it takes four bytes for each character.
_DECODE_STEP = 24 * 1024
_MARKS = re.compile(rb'\\.|["{}]', re.DOTALL)


class Export:
    """A running export: iterate it once for its bytes, and close it in any case.

    Closing before the end closes the connection; Estuary finishes its work all the same.
    """

    def __init__(
        self, response: BaseHTTPResponse, first: bytes, utf8: Utf8Check, deadline: Deadline
    ) -> None:
        self._response = response
        self._first = first
        self._utf8 = utf8
        self._deadline = deadline
        self.clock = node_clock(response)
        self._is_closed = False
        self._read_size = _MIN_READ
        is_framed = response.chunked or response.length_remaining is not None
        self._braces = None if is_framed else BraceCount()

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks()

    def chunks(self) -> Iterator[bytes]:
        """The document in pieces. Raises UpstreamError when it broke off, stalled or is incomplete.

        Only an iteration that ends without an error has passed on a complete document.
        """
        if self._is_closed:
            raise UpstreamUnavailable("reset")
        try:
            chunk, start, end = self._first, b"", b""
            self._first = b""
            while chunk:
                start += chunk[: _START_LENGTH - len(start)]
                if self._braces:
                    self._braces.add(chunk)
                end = chunk.rstrip()[-1:] or end
                yield chunk
                chunk = self._next()
                if not self._utf8.goes_on(chunk):
                    is_last, chunk, start = not chunk, b"", b""
                    raise UnexpectedReply("cut" if is_last else "json")
            is_export, start = bool(_is_export(start)), b""  # no content in a traceback's frame
            if not is_export:
                raise UnexpectedReply("shape")
            if end != b"}" or (self._braces and not self._braces.is_closed):
                raise UnexpectedReply("cut")
        finally:
            self.close()

    def _next(self) -> bytes:
        if self._is_closed:
            raise UpstreamUnavailable("reset")
        began = monotonic()
        piece = attempt(
            lambda: self._response.read(self._read_size, decode_content=False),
            "GET",
            self._deadline,
        )
        took = monotonic() - began
        if took < _QUICK_SECONDS:
            self._read_size = min(2 * self._read_size, _MAX_READ)
        elif took > _SLOW_SECONDS:
            self._read_size = max(self._read_size // 4, _MIN_READ)
        return piece

    def close(self) -> None:
        """Free the connection; closing twice does no harm."""
        self._is_closed = True
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def begin(response: BaseHTTPResponse, deadline: Deadline, idle: float) -> Export | Reply | Problem:
    """Wait for the first bytes: the export, or the reply or problem that came instead of it.

    From then on each read may take `idle` seconds. Raises what libraries raise.
    """
    begun: Export | Reply | Problem
    if response.status != 200:
        begun = read_reply(response, READ_SIZE)
    elif not is_json(response):
        begun = "content-type"
    else:
        first, utf8 = response.read1(READ_SIZE, decode_content=False), Utf8Check()
        if first.lstrip().startswith(b"{") and utf8.goes_on(first):
            deadline.idle = idle
            return Export(response, first, utf8, deadline)
        begun, first = "json", b""
    response.close()
    return begun


class Utf8Check:
    """Whether the pieces are UTF-8 together; otherwise they are no JSON."""

    def __init__(self) -> None:
        self._rest = b""  # of a character that the last piece only began

    def goes_on(self, piece: bytes) -> bool:
        """Check the next piece; the last one is b""."""
        if not piece:
            return not self._rest
        piece = self._rest + piece
        view, at, taken = memoryview(piece), 0, 1
        try:
            while taken:
                _, taken = utf_8_decode(view[at : at + _DECODE_STEP], "strict", False)
                at += taken
        except UnicodeDecodeError:
            return False
        self._rest = piece[at:]
        return True


class BraceCount:
    """Counts open braces, for a reply whose end nothing marks: neither a length nor a last chunk.

    Slow (some 10 MB a second), and never needed with Estuary itself.
    """

    def __init__(self) -> None:
        self._open = 0
        self._in_string = False
        self._rest = b""

    def add(self, chunk: bytes) -> None:
        """Go on with the next piece."""
        chunk = self._rest + chunk
        backslashes = len(chunk) - len(chunk.rstrip(b"\\"))
        self._rest = chunk[len(chunk) - backslashes % 2 :]
        for mark in _MARKS.findall(chunk[: len(chunk) - backslashes % 2]):
            if mark == b'"':
                self._in_string = not self._in_string
            elif not self._in_string and len(mark) == 1:
                self._open += 1 if mark == b"{" else -1

    @property
    def is_closed(self) -> bool:
        """Whether every brace and string that was opened is closed."""
        return not (self._open or self._in_string or self._rest)
