"""Files at rest: any byte can be read, nothing can be read without the key or after a change."""

from __future__ import annotations

import hashlib
import os
from io import BytesIO

import pytest

from estuary_admin.secrets.sealing import SealBroken
from keys.exports import sealed_files
from keys.exports.sealed_files import (
    FileBroken,
    SealedReader,
    SealedWriter,
    file_key,
    new_file_key,
)

KEY = bytes(range(32))


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not shrink."""
    return hashlib.shake_128(bytes([seed])).digest(size)


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        return self.data[start : start + length]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_files, "PIECE_BYTES", 100)


def written(document: bytes, key: bytes | None = KEY, step: int = 37) -> bytes:
    file = BytesIO()
    writer = SealedWriter(file, key)
    for at in range(0, len(document), step):
        writer.write(document[at : at + step])
    writer.finish()
    assert (writer.size, writer.stored_size) == (len(document), len(file.getvalue()))
    return file.getvalue()


def read(data: bytes, key: bytes | None = KEY, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(SealedReader(Bytes(data), key).pieces(start, end))


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 1234])
@pytest.mark.parametrize("key", [KEY, None])
def test_a_document_is_read_as_it_was_written(size: int, key: bytes | None) -> None:
    document = os.urandom(size)

    assert read(written(document, key), key) == document


def test_it_can_be_read_from_any_byte_to_any_byte() -> None:
    document = noise(1, 350)
    data = written(document)

    for start in range(0, 350, 3):
        for end in (start, start + 1, start + 99, start + 150, 350, 400):
            assert read(data, start=start, end=end) == document[start:end]


def test_the_document_is_not_in_the_file() -> None:
    document = b"bafybeibqdmi6sae6nv6vrcfks6ro54cm47rvixxnlqwclg7t7ol" * 5

    assert document[:20] not in written(document)
    with pytest.raises(FileBroken):
        read(written(document), bytes(32))
    with pytest.raises(FileBroken):
        read(written(document), None)


@pytest.mark.parametrize("key", [KEY, None])
def test_every_cut_is_found(key: bytes | None) -> None:
    data = written(noise(2, 250), key)

    for length in range(len(data)):
        with pytest.raises(FileBroken):
            read(data[:length], key)


def test_every_changed_byte_is_found() -> None:
    data = bytearray(written(noise(3, 150)))

    for at in range(len(data)):
        data[at] ^= 1
        with pytest.raises(FileBroken):
            read(bytes(data))
        data[at] ^= 1


def test_an_unsealed_file_that_promises_more_than_it_holds_is_broken() -> None:
    """No seal protects its index: a wrong one must end the download, not fill it up."""
    document = noise(7, 150)
    data = written(document, None)
    index = data[sum(SealedReader(Bytes(data), None)._lengths) : -8]
    for promised in (151, 250, 10_000):
        forged = data.replace(index, promised.to_bytes(8, "big") + index[8:])
        assert SealedReader(Bytes(forged), None).size == promised
        with pytest.raises(FileBroken):
            read(forged, None)


def test_an_unsealed_piece_that_is_no_piece_is_broken() -> None:
    data = written(noise(8, 150), None)

    with pytest.raises(FileBroken):
        read(b"xxxx" + data[4:], None)


def test_pieces_cannot_change_places_or_come_from_another_file() -> None:
    first = written(noise(4, 300))
    length = (len(first) - 8) // 3  # a little more than a piece: lengths are equal for noise
    piece = SealedReader(Bytes(first), KEY)._lengths[0]
    assert piece * 3 <= length * 3
    swapped = first[piece : 2 * piece] + first[:piece] + first[2 * piece :]

    with pytest.raises(FileBroken):
        read(swapped)
    with pytest.raises(FileBroken):
        read(written(noise(5, 300), os.urandom(32))[:piece] + first[piece:])


def test_the_last_piece_cannot_be_dropped_with_a_forged_length() -> None:
    """The number of pieces is sealed too, and each piece knows whether it is the last one."""
    longer, shorter = noise(6, 300), noise(6, 200)
    long, short = written(longer), written(shorter)
    pieces = SealedReader(Bytes(long), KEY)._lengths
    index = short[sum(SealedReader(Bytes(short), KEY)._lengths) :]

    with pytest.raises(FileBroken):
        read(long[: sum(pieces[:2])] + index)


def test_a_key_opens_for_its_own_export_only() -> None:
    key, sealed = new_file_key("one")

    assert file_key("one", sealed) == key
    assert file_key("one", "") is None
    with pytest.raises(SealBroken):
        file_key("two", sealed)


def test_a_file_that_is_cut_while_it_is_opened_is_found() -> None:
    class Cut(Bytes):
        size = 1000

    with pytest.raises(FileBroken):
        SealedReader(Cut(b"abc"), KEY)
