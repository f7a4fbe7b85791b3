"""The whole page view is bounded to the timeout, however the node behaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from keys.upstream import UpstreamError, UpstreamUnavailable, hash_of
from tests.keys.upstream.conftest import (
    DONE,
    OLD_ROW,
    OLD_TOKEN,
    ROW,
    SPEC,
    STATS,
    TOKEN_HASH,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import Action, ScriptedNode, chunked, json_reply, reply, then

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LONG = b" " * 1000


def dripping(node: ScriptedNode) -> dict[str, Action]:
    in_chunks = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    return {
        "status line": node.drip(HEAD * 100),
        "header": then(HEAD + b"X-Long: ", node.drip(LONG)),
        "body with length": then(HEAD + b"Content-Length: 1000\r\n\r\n", node.drip(LONG)),
        "body without length": then(HEAD + b"Connection: close\r\n\r\n", node.drip(LONG)),
        "chunks": then(in_chunks, node.drip(chunked(LONG, 1))),
        "one chunk": then(in_chunks, node.drip(chunked(LONG))),
        "trailers": then(in_chunks + b"2\r\n{}\r\n0\r\n", node.drip(b"X: y\r\n" * 200)),
        "continues": node.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        "error": then(reply(502, b"", {"Content-Length": "1000"}), node.drip(LONG)),
        "nothing": node.hang,
    }


A_BUSY_MACHINE = 4.0  # seconds; what drips here does so for longer


@contextmanager
def ends_after(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    with pytest.raises(UpstreamUnavailable, match="in time") as caught:
        yield
    assert caught.value.kind == "timeout"
    assert seconds * 0.9 < time.monotonic() - start < seconds + A_BUSY_MACHINE


@pytest.mark.parametrize(
    "where",
    [
        "status line",
        "header",
        "body with length",
        "body without length",
        "chunks",
        "one chunk",
        "trailers",
        "continues",
        "error",
        "nothing",
    ],
)
def test_a_node_that_drips_does_not_exceed_the_timeout(node: NodeFactory, where: str) -> None:
    estuary = node()
    estuary.actions.append(dripping(estuary)[where])

    with ends_after(0.4):
        client_of(estuary, timeout=0.4).stats()
    assert len(estuary.requests) == 1


def test_all_calls_of_a_page_share_the_time(node: NodeFactory) -> None:
    estuary = node()
    estuary.actions.extend([then(lambda _: time.sleep(0.3), json_reply(STATS)), estuary.hang])
    client = client_of(estuary, timeout=0.6)

    with ends_after(0.6):
        client.stats()
        client.list_keys()
    assert len(estuary.requests) == 2


def test_a_change_leaves_time_to_list_the_keys_afterwards(node: NodeFactory) -> None:
    estuary = node()
    estuary.actions.extend([estuary.hang, json_reply([ROW])])
    client = client_of(estuary, timeout=1.0)

    with ends_after(0.6):
        client.create_key(SPEC)
    assert client.list_keys().find(TOKEN_HASH) is not None


def test_a_change_is_not_sent_when_no_time_to_list_would_be_left(node: NodeFactory) -> None:
    estuary = node(then(lambda _: time.sleep(1.6), json_reply([ROW])))

    with pytest.raises(UpstreamUnavailable, match="Nothing was changed") as caught:
        client_of(estuary, timeout=2.0).revoke_key(TOKEN_HASH)
    assert caught.value.maybe_carried_out is False
    assert len(estuary.requests) == 1


def test_a_change_without_an_answer_may_have_been_carried_out(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW]))
    estuary.actions.append(estuary.hang)

    with pytest.raises(UpstreamUnavailable, match="may have carried it out") as caught:
        client_of(estuary, timeout=0.5).revoke_key(TOKEN_HASH)
    assert caught.value.maybe_carried_out is True


def test_several_keys_are_revoked_after_one_list_in_the_given_order(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW, OLD_ROW]), DONE, DONE)
    old, gone = hash_of(OLD_TOKEN), "x" * 43

    assert list(client_of(estuary).revoke_keys([old, gone, TOKEN_HASH])) == [
        (old, True),
        (gone, False),
        (TOKEN_HASH, True),
    ]
    assert [request.target.rpartition("/")[2] for request in estuary.requests] == [
        "api-keys",
        OLD_TOKEN,
        TOKEN_HASH,
    ]


def rows(count: int) -> tuple[list[str], list[dict[str, object]]]:
    hashes = [f"{number:043}" for number in range(count)]
    return hashes, [ROW | {"tokenHash": token_hash} for token_hash in hashes]


def slow(answer: bytes, seconds: float) -> Action:
    return then(lambda _: time.sleep(seconds), answer)


def test_keys_that_were_not_tried_in_time_are_told_apart(node: NodeFactory) -> None:
    hashes, listed = rows(10)
    estuary = node(json_reply(listed), *[slow(DONE, 0.25)] * 10)

    results = [result for _, result in client_of(estuary, timeout=1.0).revoke_keys(hashes)]

    tried = len(estuary.requests) - 1
    assert 1 <= tried <= 3
    assert results[: tried - 1] == [True] * (tried - 1)
    assert results[tried:] == [None] * (10 - tried)


def test_one_failed_revocation_does_not_stop_the_others(node: NodeFactory) -> None:
    hashes, listed = rows(3)
    estuary = node(json_reply(listed), DONE, json_reply({"error": "disk full"}, 500), DONE)

    results = [result for _, result in client_of(estuary).revoke_keys(hashes)]

    assert isinstance(results[1], UpstreamError)
    assert results[1].maybe_carried_out is True
    assert (results[0], results[2]) == (True, True)


def test_a_refused_token_is_not_tried_for_every_key(node: NodeFactory) -> None:
    hashes, listed = rows(3)
    refused = json_reply({"error": {"reason": "ERR_INVALID_TOKEN"}}, 401)
    estuary = node(json_reply(listed), DONE, refused)

    results = [result for _, result in client_of(estuary).revoke_keys(hashes)]

    assert results[0] is True
    assert [type(result).__name__ for result in results[1:]] == ["TokenRejected"] * 2
    assert len(estuary.requests) == 3


def test_a_failing_list_is_raised_before_anything_is_revoked(node: NodeFactory) -> None:
    estuary = node(json_reply({"error": "no"}, 500))
    revoke: Callable[[list[str]], object] = client_of(estuary).revoke_keys

    with pytest.raises(UpstreamError):
        revoke([TOKEN_HASH])
