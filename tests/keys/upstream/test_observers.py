"""Observers learn of each call to Estuary, without its path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keys.upstream import EstuaryClient, UpstreamError, observers
from tests.keys.upstream.conftest import (
    DONE,
    OLD_ROW,
    OLD_TOKEN,
    SPEC,
    STATS,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import json_reply, reply, reset

Told = list[tuple[str, str]]


@pytest.fixture
def told() -> Iterator[Told]:
    told: Told = []

    def observer(endpoint: observers.Endpoint, outcome: str, seconds: float) -> None:
        assert 0 <= seconds < 5
        told.append((endpoint.value, outcome))

    observers.connect(observer)
    observers.connect(observer)  # once is enough
    yield told
    observers._observers.remove(observer)


def test_observers_learn_of_each_attempt(node: NodeFactory, told: Told) -> None:
    running = node(reset, reply(503), json_reply(STATS))

    client_of(running).stats()

    assert told == [("stats", "reset"), ("stats", "failed"), ("stats", "ok")]


def test_status_200_with_an_unusable_body_is_no_success(node: NodeFactory, told: Told) -> None:
    running = node(reply(200, b"<html>", kind="text/html"))

    with pytest.raises(UpstreamError):
        client_of(running).create_key(SPEC)

    assert told == [("create", "unexpected-reply")]


def test_observers_learn_the_endpoint_and_not_the_path(node: NodeFactory, told: Told) -> None:
    running = node(json_reply([OLD_ROW]), DONE)
    [key] = client_of(node(json_reply([OLD_ROW]))).list_keys().keys

    client_of(running).revoke_key(key.token_hash)

    assert told == [("list", "ok"), ("list", "ok"), ("revoke", "ok")]
    assert OLD_TOKEN not in str(told)


def test_an_error_of_our_own_has_its_own_outcome(
    node: NodeFactory, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("keys.upstream.client.read_stats", crash)
    with pytest.raises(RuntimeError):
        client_of(node(json_reply(STATS))).stats()

    assert told == [("stats", "internal")]


def test_a_token_that_is_not_sent_is_no_call(node: NodeFactory, told: Told) -> None:
    running = node()

    with pytest.raises(UpstreamError):
        EstuaryClient(running.url, "EST x ARY").stats()

    assert told == []
    assert running.connections == 0
