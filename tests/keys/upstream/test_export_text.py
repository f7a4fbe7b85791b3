"""An export that is no UTF-8 is refused, wherever its pieces and decoding steps end."""

from __future__ import annotations

import tracemalloc

import pytest

from keys.upstream import UnexpectedReply
from keys.upstream.export import _DECODE_STEP, _MAX_READ, _MIN_READ, Utf8Check
from tests.keys.upstream.conftest import NodeFactory
from tests.keys.upstream.server import JSON
from tests.keys.upstream.test_export import opened

LETTERS = ["é", "資", "🗂"]
WRONG = [
    pytest.param(b"\xff", id="no character"),
    pytest.param("é".encode()[1:], id="no start"),
    pytest.param("資".encode()[:2], id="no end"),
    pytest.param(b"\xc0\xaf", id="overlong"),
    pytest.param(b"\xed\xa0\x80", id="half of a surrogate pair"),
    pytest.param(b"\xf4\x90\x80\x80", id="beyond Unicode"),
]


def is_text(*pieces: bytes) -> bool:
    text = Utf8Check()
    return all(text.goes_on(piece) for piece in (*pieces, b""))


@pytest.mark.parametrize("letter", LETTERS)
def test_a_character_may_be_split_between_two_decoding_steps(letter: str) -> None:
    for edge in (_DECODE_STEP, 2 * _DECODE_STEP):
        for before in range(5):
            assert is_text(b"x" * (edge - before) + letter.encode() + b"x" * _DECODE_STEP)
            assert is_text(b"x" * (edge - before) + letter.encode())


@pytest.mark.parametrize("letter", LETTERS)
def test_a_character_may_arrive_byte_by_byte(letter: str) -> None:
    assert is_text(*(bytes([byte]) for byte in f"x{letter}{letter}x".encode()))


@pytest.mark.parametrize("wrong", WRONG)
def test_bytes_that_are_no_character_are_found_at_every_place(wrong: bytes) -> None:
    for before in (0, 1, _DECODE_STEP - 3, _DECODE_STEP - 2, _DECODE_STEP - 1, _DECODE_STEP):
        body = b"x" * before + wrong + b"x" * _DECODE_STEP

        assert not is_text(body)
        assert not any(is_text(body[:cut], body[cut:]) for cut in range(before, before + 5))


@pytest.mark.parametrize("letter", LETTERS)
def test_half_a_character_is_no_text(letter: str) -> None:
    begun = letter.encode()[:-1]

    assert not is_text(begun)
    assert not is_text(b"x" * (_DECODE_STEP - 1) + begun)
    assert not is_text(begun, b"x" + letter.encode()[-1:])


def test_one_emoji_does_not_quadruple_the_memory_of_a_piece() -> None:
    piece = "🗂".encode() + b"x" * _MAX_READ
    tracemalloc.start()
    try:
        assert is_text(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < len(piece)


def plain_export(after: bytes) -> bytes:
    """An export whose second piece is full of ASCII and ends where `after` begins."""
    start, rest = b'{"Version":"', b"x" * _MIN_READ + after + b'"}'
    chunks = (b"%x\r\n%b\r\n" % (len(part), part) for part in (start, rest, b""))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(chunks)


@pytest.mark.parametrize("place", range(4))
def test_a_character_may_be_split_between_two_pieces_of_an_export(
    node: NodeFactory, place: int
) -> None:
    letter = "🗂".encode()
    answer = plain_export(letter).replace(b"x" * place + letter, letter + b"x" * place)
    with opened(node, answer) as export:
        pieces = list(export)

    assert pieces[1].endswith(b"x" + letter[:place])
    assert b"".join(pieces).count(letter) == 1


def test_a_character_cut_off_at_the_end_of_a_piece_is_an_error(node: NodeFactory) -> None:
    begun = "🗂".encode()[:3]
    answer = plain_export(b"x").replace(b'xxxx"}', begun + b'x"}')
    passed: list[bytes] = []
    with opened(node, answer) as export, pytest.raises(UnexpectedReply) as caught:
        passed.extend(export.chunks())

    assert caught.value.problem == "json"
    assert len(passed) == 2  # what shows it is not passed on
