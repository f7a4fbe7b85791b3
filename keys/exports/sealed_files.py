"""A prepared export at rest: compressed and sealed in pieces, so that any byte can be read.

A file is a row of pieces, then an index, then the length of the index. Each piece is a zstd frame
of PIECE_BYTES of the document; the index holds the document's size and the length of each piece.
Pieces and index are sealed with AES-256-GCM under a key of this file alone. The number of a piece
is its nonce, and whether it is the last one is authenticated with it: a file that was cut, or whose
pieces were moved, does not open.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterator
from typing import Protocol

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.sealing import seal_for, unseal_for

PIECE_BYTES = 1024 * 1024
ZSTD_LEVEL = 1  # faster than any disk, and JSON shrinks to a tenth or less
KEY_BYTES = 32
_INDEX_LENGTH = struct.Struct(">Q")
_PIECE, _LAST_PIECE, _INDEX = b"piece", b"last piece", b"index"
_INDEX_NUMBER = 2**64 - 1  # no piece has it


class FileBroken(Exception):
    """The file is not as it was written, or it is another one."""


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    """A file by parts; it may be far away."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, length: int) -> bytes: ...


@sensitive_variables("key")
def new_file_key(number: str) -> tuple[bytes, str]:
    """A key for one file, in clear and sealed for the export with this number."""
    key = os.urandom(KEY_BYTES)
    return key, seal_for(_purpose(number), base64.b64encode(key).decode())


def file_key(number: str, sealed: str) -> bytes | None:
    """The key of a file; None for one that is not sealed. Raises SealBroken."""
    return base64.b64decode(unseal_for(_purpose(number), sealed)) if sealed else None


def reseal_file_key(number: str, sealed: str) -> str:
    """The same key under the newest sealing key; raises SealBroken."""
    return seal_for(_purpose(number), unseal_for(_purpose(number), sealed))


def _purpose(number: str) -> str:
    return f"export {number}"


class _Box:
    """Seals and opens parts of one file; without a key it only passes them on."""

    def __init__(self, key: bytes | None) -> None:
        self._cipher = AESGCM(key) if key else None

    def seal(self, number: int, mark: bytes, data: bytes) -> bytes:
        return self._cipher.encrypt(_nonce(number), data, mark) if self._cipher else data

    def open(self, number: int, mark: bytes, data: bytes) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number), data, mark) if self._cipher else data
        except InvalidTag:
            raise FileBroken from None


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class SealedWriter:
    """Writes a document; it is complete only after `finish`."""

    def __init__(self, sink: Sink, key: bytes | None) -> None:
        self.size = 0  # of the document
        self.stored_size = 0  # of the file
        self._sink = sink
        self._box = _Box(key)
        # What is sealed is authenticated already.
        self._compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=key is None)
        # One for all pieces: new memory of this size costs more than what is done with it.
        self._piece = memoryview(bytearray(PIECE_BYTES))
        self._filled = 0
        self._lengths: list[int] = []

    def write(self, data: bytes) -> None:
        self.size += len(data)
        rest = memoryview(data)
        while rest:
            if self._filled == PIECE_BYTES:  # more follows, so that it is not the last one
                self._write_piece(_PIECE)
            taken = rest[: PIECE_BYTES - self._filled]
            self._piece[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rest = rest[len(taken) :]

    def finish(self) -> None:
        self._write_piece(_LAST_PIECE)
        index = struct.pack(f">Q{len(self._lengths)}I", self.size, *self._lengths)
        sealed = self._box.seal(_INDEX_NUMBER, _INDEX, index)
        self._put(sealed)
        self._put(_INDEX_LENGTH.pack(len(sealed)))

    def _write_piece(self, mark: bytes) -> None:
        compressed = self._compressor.compress(self._piece[: self._filled])
        sealed = self._box.seal(len(self._lengths), mark, compressed)
        self._filled = 0
        self._lengths.append(len(sealed))
        self._put(sealed)

    def _put(self, data: bytes) -> None:
        self._sink.write(data)
        self.stored_size += len(data)


class SealedReader:
    """Reads any part of a document; raises FileBroken."""

    def __init__(self, source: Source, key: bytes | None) -> None:
        self._source = source
        self._box = _Box(key)
        self.size, self._lengths = self._index()
        self._starts = [0]
        for length in self._lengths:
            self._starts.append(self._starts[-1] + length)

    def _index(self) -> tuple[int, list[int]]:
        size = self._source.size
        if size < _INDEX_LENGTH.size:
            raise FileBroken
        tail = size - _INDEX_LENGTH.size
        end = self._source.read(tail, _INDEX_LENGTH.size)
        if len(end) != _INDEX_LENGTH.size:  # it was cut since its size was asked for
            raise FileBroken
        (length,) = _INDEX_LENGTH.unpack(end)
        if length > tail:
            raise FileBroken
        sealed = self._source.read(tail - length, length)
        index = self._box.open(_INDEX_NUMBER, _INDEX, sealed)
        if len(index) < 12 or len(index) % 4:
            raise FileBroken
        document_size, *lengths = struct.unpack(f">Q{len(index) // 4 - 2}I", index)
        if sum(lengths) != tail - length:
            raise FileBroken
        return document_size, lengths

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The document from byte `start` up to, and without, byte `end`."""
        end = self.size if end is None else min(end, self.size)
        while start < end:
            number, offset = divmod(start, PIECE_BYTES)
            piece = self._piece(number)[offset : offset + end - start]
            if not piece:
                raise FileBroken
            yield piece
            start += len(piece)

    def _piece(self, number: int) -> bytes:
        if number >= len(self._lengths):
            raise FileBroken
        mark = _LAST_PIECE if number == len(self._lengths) - 1 else _PIECE
        sealed = self._source.read(self._starts[number], self._lengths[number])
        try:
            return zstandard.ZstdDecompressor().decompress(
                self._box.open(number, mark, sealed), max_output_size=PIECE_BYTES
            )
        except zstandard.ZstdError:
            raise FileBroken from None
