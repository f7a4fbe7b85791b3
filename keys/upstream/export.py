"""An account's export, passed on as it comes.

Estuary builds the whole document in memory before it sends the first byte, and says no length
(Estuary `handlers.go`, 2023-05). Whether it came whole is told by its end alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import Self

from urllib3 import BaseHTTPResponse

from .deadlines import Patience
from .diagnosis import attempt
from .errors import Problem, UnexpectedReply, UpstreamUnavailable
from .export_text import Depth, Utf8
from .http import READ, Reply, is_json, node_clock, read_reply

_START = 64  # bytes to tell an export by
#: Each piece costs the same few calls, from here to the browser, but a slow one is to arrive, too.
_LEAST, _MOST = 16 * 1024, 512 * 1024
_QUICK, _SLOW = 0.25, 2.0  # seconds
_is_export = re.compile(rb'\s*\{\s*"Version"').match


class Export:
    """A running export: iterate it once for its bytes, and close it in any case.

    Closing before the end closes the connection; Estuary finishes its work all the same.
    """

    def __init__(
        self, response: BaseHTTPResponse, first: bytes, text: Utf8, patience: Patience
    ) -> None:
        self._response = response
        self._first = first
        self._text = text
        self._patience = patience
        self.clock = node_clock(response)
        self._is_closed = False
        self._amount = _LEAST
        is_framed = response.chunked or response.length_remaining is not None
        self._depth = None if is_framed else Depth()

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks()

    def chunks(self) -> Iterator[bytes]:
        """The document in pieces. Raises UpstreamError when it broke off, stalled or is not whole.

        Only an iteration that ends without an error has passed a complete document.
        """
        if self._is_closed:
            raise UpstreamUnavailable("reset")
        try:
            chunk, start, end = self._first, b"", b""
            self._first = b""
            while chunk:
                start += chunk[: _START - len(start)]
                if self._depth:
                    self._depth.add(chunk)
                end = chunk.rstrip()[-1:] or end
                yield chunk
                chunk = self._next()
                if not self._text.goes_on(chunk):
                    is_last, chunk, start = not chunk, b"", b""
                    raise UnexpectedReply("cut" if is_last else "json")
            is_export, start = bool(_is_export(start)), b""  # no content in a traceback's frame
            if not is_export:
                raise UnexpectedReply("shape")
            if end != b"}" or (self._depth and not self._depth.is_closed):
                raise UnexpectedReply("cut")
        finally:
            self.close()

    def _next(self) -> bytes:
        if self._is_closed:
            raise UpstreamUnavailable("reset")
        began = monotonic()
        piece = attempt(
            lambda: self._response.read(self._amount, decode_content=False), "GET", self._patience
        )
        took = monotonic() - began
        if took < _QUICK:
            self._amount = min(2 * self._amount, _MOST)
        elif took > _SLOW:
            self._amount = max(self._amount // 4, _LEAST)
        return piece

    def close(self) -> None:
        """Let go of the connection; closing twice does no harm."""
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


def begin(response: BaseHTTPResponse, patience: Patience, idle: float) -> Export | Reply | Problem:
    """Wait for the first bytes: the export, or the refusal or problem that came instead of it.

    From then on `idle` seconds are granted to each read. Raises what libraries raise.
    """
    begun: Export | Reply | Problem
    if response.status != 200:
        begun = read_reply(response, READ)
    elif not is_json(response):
        begun = "content-type"
    else:
        first, text = response.read1(READ, decode_content=False), Utf8()
        if first.lstrip().startswith(b"{") and text.goes_on(first):
            patience.idle = idle
            return Export(response, first, text, patience)
        begun, first = "json", b""
    response.close()
    return begun
