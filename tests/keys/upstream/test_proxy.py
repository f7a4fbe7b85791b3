"""The way to the node through an HTTP proxy, which sees the node's name and no token."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from keys.upstream import EstuaryClient, UpstreamUnavailable
from tests.keys.upstream.conftest import CREATED, SPEC, STATS, TOKEN, NodeFactory
from tests.keys.upstream.server import ScriptedNode, close_at_once, json_reply
from tests.keys.upstream.test_deadlines import ends_after
from tests.keys.upstream.test_secrets import everything

pytestmark = pytest.mark.usefixtures("_trusted")
PASSWORD = "hunter2"
CREDENTIALS = "Basic bWU6aHVudGVyMjpAL8Op"  # me, hunter2:@/é


def tunnel_to(node: ScriptedNode, seen: list[bytes]) -> Callable[[socket.socket], None]:
    """An action: what a proxy does after CONNECT; `seen` gets the bytes of both directions."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                seen.append(data)
                target.sendall(data)
        close_at_once(target)

    def action(sock: socket.socket) -> None:
        there = socket.create_connection(("127.0.0.1", node.port))
        sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
        back = threading.Thread(target=copy, args=(there, sock), daemon=True)
        back.start()
        copy(sock, there)
        back.join(5)

    return action


def client_through(proxy: str, node: ScriptedNode, timeout: float = 5.0) -> EstuaryClient:
    return EstuaryClient(node.url, TOKEN, timeout, proxy=proxy)


@pytest.fixture
def estuary(node: NodeFactory, tls: ssl.SSLContext) -> ScriptedNode:
    return node(json_reply(STATS), json_reply(CREATED), tls=tls)


def test_all_that_a_proxy_sees_is_where_the_node_is(
    node: NodeFactory, estuary: ScriptedNode
) -> None:
    seen: list[bytes] = []
    proxy = node(tunnel_to(estuary, seen))
    client = client_through(f"http://me:hunter2%3A%40%2F%C3%A9@127.0.0.1:{proxy.port}", estuary)

    assert client.stats().pin_count == 5
    assert client.create_key(SPEC).token == TOKEN

    [request] = proxy.requests  # the second call uses the same tunnel
    assert (request.method, request.target) == ("CONNECT", f"127.0.0.1:{estuary.port}")
    assert request.headers["proxy-authorization"] == CREDENTIALS
    assert "authorization" not in request.headers
    assert TOKEN.encode() not in b"".join(seen)
    assert [request.method for request in estuary.requests] == ["GET", "POST"]
    assert all("proxy-authorization" not in request.headers for request in estuary.requests)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"",
    ],
)
def test_a_proxy_that_refuses_is_blamed_and_nothing_was_changed(
    node: NodeFactory, estuary: ScriptedNode, answer: bytes
) -> None:
    proxy = node(answer) if answer else node()

    with pytest.raises(UpstreamUnavailable, match=r"proxy.*Nothing was changed") as caught:
        client_through(proxy.url, estuary).create_key(SPEC)
    assert caught.value.kind == "proxy"
    assert caught.value.maybe_carried_out is False
    assert estuary.connections == 0


def test_a_proxy_that_is_not_there_is_blamed(estuary: ScriptedNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(UpstreamUnavailable) as caught:
        client_through(f"http://127.0.0.1:{port}", estuary).create_key(SPEC)
    assert caught.value.kind == "proxy"


def test_a_proxy_that_drips_does_not_exceed_the_timeout(
    node: NodeFactory, estuary: ScriptedNode
) -> None:
    proxy = node()
    proxy.actions.append(proxy.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200))

    with ends_after(0.5):
        client_through(proxy.url, estuary, 0.5).stats()


def test_a_proxy_that_pretends_to_be_the_node_gets_no_token(
    node: NodeFactory, estuary: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    seen: list[bytes] = []
    proxy = node(tunnel_to(estuary, seen))

    with pytest.raises(UpstreamUnavailable) as caught:
        client_through(proxy.url, estuary).create_key(SPEC)
    assert caught.value.kind == "tls"
    assert estuary.requests == []


def test_an_http_node_is_not_asked_through_a_proxy(node: NodeFactory) -> None:
    with pytest.raises(ValueError, match="https only"):
        client_through("http://127.0.0.1:3128", node())


def test_neither_token_nor_password_is_in_an_error_or_a_log(
    node: NodeFactory, estuary: ScriptedNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy = node(b"HTTP/1.1 407 No\r\n\r\n")

    with pytest.raises(UpstreamUnavailable) as caught:
        client_through(f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}", estuary).create_key(SPEC)

    text = everything(caught.value) + caplog.text
    assert TOKEN not in text
    assert PASSWORD not in text
    assert "bWU6aHVudGVyMg" not in text
