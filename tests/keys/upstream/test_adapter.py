"""Connections are shared by the threads of a process and with nothing else."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keys.upstream import deadlines
from tests.keys.upstream.conftest import CREATED, SPEC, STATS, TOKEN, NodeFactory, client_of
from tests.keys.upstream.server import close_at_once, json_reply, reply, then
from tests.support.processes import wait_until


def test_clients_of_a_process_share_connections(node: NodeFactory) -> None:
    estuary = node(*[json_reply(STATS)] * 5)
    for _ in range(5):
        client_of(estuary).stats()

    assert estuary.connections == 1


def test_a_connection_is_reused_after_an_error_reply(node: NodeFactory) -> None:
    refused = json_reply({"error": {"reason": "ERR_INVALID_TOKEN"}}, 401)
    estuary = node(refused, reply(500, b"no", {"Transfer-Encoding": "chunked"}), json_reply(STATS))
    for _ in range(2):
        with pytest.raises(Exception, match="Estuary"):
            client_of(estuary).stats()
    client_of(estuary).stats()

    assert estuary.connections == 1


def test_a_connection_with_unread_bytes_is_not_reused(node: NodeFactory) -> None:
    estuary = node(reply(200, b" " * 70_000), json_reply(STATS))
    with pytest.raises(Exception, match="larger"):
        client_of(estuary).stats()

    assert client_of(estuary).stats().pin_count == 5
    assert estuary.connections == 2


def test_threads_do_not_get_each_others_replies(node: NodeFactory) -> None:
    def echo(number: int) -> None:
        estuary = client_of(nodes[number % 2])
        assert estuary.stats().total_size == number % 2

    nodes = [node(*[json_reply({"totalSize": n, "numPins": 0})] * 200) for n in (0, 1)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(echo, range(400)))

    assert [len(estuary.requests) for estuary in nodes] == [200, 200]
    assert all(estuary.connections <= 16 for estuary in nodes)


def test_one_client_may_be_used_by_several_threads(node: NodeFactory) -> None:
    estuary = node(*[json_reply(STATS)] * 50)
    client = client_of(estuary)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: client.stats().pin_count, range(50)))

    assert results == [5] * 50


def test_a_connection_that_the_node_closed_does_not_fail_a_change(node: NodeFactory) -> None:
    estuary = node(then(json_reply(STATS), close_at_once), json_reply(CREATED))
    client = client_of(estuary)
    client.stats()
    wait_until(lambda: estuary._open[0].fileno() < 0)  # the node has closed its side

    assert client.create_key(SPEC).token == TOKEN
    assert estuary.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_reused(
    node: NodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    estuary = node(json_reply(STATS), json_reply(STATS))
    client_of(estuary).stats()
    monkeypatch.setattr(deadlines, "_MAX_IDLE_SECONDS", 0.0)
    client_of(estuary).stats()

    assert estuary.connections == 2


def test_a_forked_process_has_connections_of_its_own(node: NodeFactory) -> None:
    estuary = node(*[json_reply(STATS)] * 3)
    client_of(estuary).stats()

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if client_of(estuary).stats().pin_count == 5 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    client_of(estuary).stats()

    assert [request.connection for request in estuary.requests] == [1, 2, 1]


def test_no_cookie_netrc_or_proxy_changes_what_is_sent(
    node: NodeFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = node()
    estuary = node(json_reply(STATS, Set_Cookie="a=b; Path=/"), json_reply(STATS))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password eve\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    client_of(estuary).stats()
    client_of(estuary).stats()

    assert estuary.requests[1].headers["authorization"] == f"Bearer {TOKEN}"
    assert "cookie" not in estuary.requests[1].headers
    assert proxy.connections == 0
