"""An export is complete, or ends with an error."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from keys.upstream import Export, UnexpectedReply, UpstreamError, UpstreamUnavailable
from keys.upstream import export as export_module
from tests.keys.upstream.conftest import NodeFactory, client_of
from tests.keys.upstream.server import (
    JSON,
    Action,
    chunked,
    close_at_once,
    json_reply,
    reply,
    reset,
    then,
)
from tests.support.processes import wait_until

CONTENT = {"id": 1, "name": 'a "quoted" {name\\', "pinMeta": "{}", "origins": '["/ip4"]'}
DOCUMENT = {"Version": "v0.0.1", "Version1": {"Contents": [CONTENT] * 40, "Deals": []}}
BODY = json.dumps(DOCUMENT).encode() + b"\n"
CHUNKED = reply(200, BODY, {"Transfer-Encoding": "chunked"})
UNFRAMED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def opened(node: NodeFactory, action: Action, idle: float = 5.0) -> Export:
    return client_of(node(action), timeout=1.0).open_export(5.0, idle)


def test_bytes_are_passed_on_unchanged(node: NodeFactory) -> None:
    with opened(node, CHUNKED) as export:
        assert b"".join(export.chunks()) == BODY


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_a_document_without_length_is_complete_when_its_braces_are_closed(
    node: NodeFactory, size: int
) -> None:
    pieces = [BODY[start : start + size] for start in range(0, len(BODY), size)]
    with opened(node, then(UNFRAMED, *pieces, close_at_once)) as export:
        assert b"".join(export) == BODY


def test_a_connection_is_reused_after_a_complete_export(node: NodeFactory) -> None:
    estuary = node(CHUNKED, json_reply([]))
    client = client_of(estuary)
    with client.open_export() as export:
        assert b"".join(export) == BODY
    client.list_keys()

    assert estuary.connections == 1


CUT = CHUNKED[: len(CHUNKED) // 2]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(then(CUT, close_at_once), id="within a chunk"),
        pytest.param(then(CUT, reset), id="by a reset"),
        pytest.param(then(CHUNKED.removesuffix(b"0\r\n\r\n"), close_at_once), id="no last chunk"),
        pytest.param(then(reply(200, BODY)[:-10], close_at_once), id="short of its length"),
        pytest.param(then(UNFRAMED, BODY[: BODY.index(b"},") + 1], close_at_once), id="unframed"),
        pytest.param(then(UNFRAMED, BODY[:40], close_at_once), id="unframed, at its start"),
        pytest.param(reply(200, BODY[:-3]), id="a document that does not close"),
        pytest.param(reply(200, b"{", {"Transfer-Encoding": "chunked"}), id="one brace"),
    ],
)
def test_an_export_that_breaks_off_ends_with_an_error(node: NodeFactory, broken: Action) -> None:
    with opened(node, broken) as export, pytest.raises(UpstreamError):
        for _ in export:
            pass


def test_an_export_that_stalls_ends_with_an_error(node: NodeFactory) -> None:
    estuary = node()
    estuary.actions.append(then(CUT, estuary.hang))
    with client_of(estuary).open_export(5.0, idle_timeout=0.3) as export:
        start = time.monotonic()
        with pytest.raises(UpstreamUnavailable) as caught:
            list(export)

    assert caught.value.kind == "timeout"
    assert time.monotonic() - start < 5


def test_a_pause_shorter_than_the_idle_time_is_waited_for(node: NodeFactory) -> None:
    slowly = [part for piece in (CHUNKED[:300], CHUNKED[300:600], CHUNKED[600:])
              for part in (piece, lambda _: time.sleep(0.25))]  # fmt: skip
    with opened(node, then(*slowly), idle=2.0) as export:
        assert b"".join(export) == BODY


def test_a_slow_export_is_passed_on_as_it_comes(node: NodeFactory) -> None:
    long = json.dumps({"Version": "v0.0.1", "Version1": {"Contents": [CONTENT] * 2000}}).encode()
    pieces = [long[start : start + 32_768] for start in range(0, len(long), 32_768)]
    slowly = [part for piece in pieces for part in (piece, lambda _: time.sleep(0.3))]
    with opened(node, then(UNFRAMED, *slowly, close_at_once)) as export:
        passed_on = list(export)

    assert b"".join(passed_on) == long
    assert len(passed_on) >= len(pieces)


def test_closing_early_ends_the_connection_and_the_iteration(node: NodeFactory) -> None:
    endless = then(CHUNKED[:200], lambda sock: gone.append(sock.recv(1)))
    gone: list[bytes] = []
    export = opened(node, endless)
    chunks = iter(export)
    next(chunks)
    export.close()
    export.close()

    with pytest.raises(UpstreamUnavailable):
        next(chunks)
    wait_until(lambda: gone)
    assert gone == [b""]


def test_an_export_can_be_read_only_once(node: NodeFactory) -> None:
    with opened(node, CHUNKED) as export:
        list(export)
        with pytest.raises(UpstreamUnavailable):
            list(export)


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"<html>", kind="text/html"),
        reply(200, b"[]"),
        reply(200, b""),
        reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}),
        reply(302, b"", {"Location": "http://elsewhere.example/"}),
    ],
)
def test_a_reply_that_is_no_export_is_an_error_before_the_first_byte(
    node: NodeFactory, answer: bytes
) -> None:
    with pytest.raises(UnexpectedReply):
        opened(node, answer)


@pytest.mark.parametrize("size", [2_000, 32_768, 1_000_003], ids="chunks of {}".format)
@pytest.mark.parametrize("letter", ["1234", "🗂"])
def test_memory_does_not_grow_with_the_export(node: NodeFactory, size: int, letter: str) -> None:
    text = (letter + "x" * 996).encode() * 1000
    piece = chunked(b'"' + text + b'",', size).removesuffix(b"0\r\n\r\n")
    head = UNFRAMED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    start, end = chunked(b'{"Version":[', 12).removesuffix(b"0\r\n\r\n"), chunked(b'""]}', 4)

    with opened(node, then(head, start, *[piece] * 30, end)) as export:
        tracemalloc.start()
        try:
            passed = sum(len(chunk) for chunk in export)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert passed == 30 * 1_000_003 + 16
    assert peak < 2_000_000


def test_an_empty_object_is_no_export(node: NodeFactory) -> None:
    with opened(node, reply(200, b"{}")) as export, pytest.raises(UnexpectedReply):
        list(export)


@pytest.mark.parametrize("place", range(4))
def test_a_character_may_be_split_between_two_pieces(node: NodeFactory, place: int) -> None:
    start, letter = b'{"Version":"', "🗂".encode()
    body = start + letter + b'"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    cut = len(start) + place
    pieces = (head.encode() + body[:cut], lambda _: time.sleep(0.1), body[cut:])
    with opened(node, then(*pieces)) as export:
        assert b"".join(export) == body


def test_bytes_that_are_no_utf_8_are_an_error_before_the_first_byte(node: NodeFactory) -> None:
    with pytest.raises(UnexpectedReply) as caught:
        opened(node, reply(200, b'{"Version":"\xff"}'))

    assert caught.value.problem == "json"


@pytest.mark.parametrize(
    ("end", "problem"), [(b'"\xff"}', "json"), ("🗂".encode()[:2], "cut"), (b"\xff", "json")]
)
def test_bytes_that_are_no_utf_8_end_the_export_with_an_error(
    node: NodeFactory, end: bytes, problem: str
) -> None:
    body = b'{"Version":"' + b"x" * 300_000 + end
    with opened(node, reply(200, body)) as export, pytest.raises(UnexpectedReply) as caught:
        for _ in export:
            pass

    assert caught.value.problem == problem


def test_a_slow_export_is_read_in_smaller_pieces_and_is_whole(
    node: NodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_QUICK_SECONDS", -1.0)
    monkeypatch.setattr(export_module, "_SLOW_SECONDS", -1.0)
    with opened(node, CHUNKED) as export:
        before = export._read_size

        assert b"".join(export) == BODY
        assert export._read_size <= before
        assert export._read_size == export_module._MIN_READ
