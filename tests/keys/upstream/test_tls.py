"""Over https a node must prove its identity before it gets a token."""

from __future__ import annotations

import socket
import ssl

import pytest

from keys.upstream import EstuaryClient, UpstreamUnavailable
from tests.keys.upstream.conftest import SPEC, STATS, TOKEN, NodeFactory, client_of
from tests.keys.upstream.server import close_at_once, json_reply, then
from tests.keys.upstream.test_deadlines import ends_after


@pytest.mark.usefixtures("_trusted")
def test_a_node_with_a_trusted_certificate_is_asked(node: NodeFactory, tls: ssl.SSLContext) -> None:
    estuary = node(json_reply(STATS), json_reply(STATS), tls=tls)

    assert client_of(estuary).stats().pin_count == 5
    assert client_of(estuary).stats().pin_count == 5
    assert estuary.connections == 1


def test_a_node_with_an_unknown_certificate_gets_nothing(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(json_reply(STATS), tls=tls)

    with pytest.raises(UpstreamUnavailable, match=r"secure.*Nothing was changed") as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "tls"
    assert caught.value.maybe_carried_out is False
    assert estuary.requests == []


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_for_another_name_gets_nothing(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(json_reply(STATS), tls=tls)

    with pytest.raises(UpstreamUnavailable) as caught:
        EstuaryClient(f"https://localhost:{estuary.port}", TOKEN).stats()
    assert caught.value.kind == "tls"
    assert estuary.requests == []


def test_a_node_that_speaks_no_tls_gets_nothing(node: NodeFactory) -> None:
    estuary = node()

    with pytest.raises(UpstreamUnavailable):
        EstuaryClient(f"https://127.0.0.1:{estuary.port}", TOKEN, 1.0).create_key(SPEC)
    assert estuary.requests == []


@pytest.mark.usefixtures("_trusted")
def test_a_dripping_node_does_not_exceed_the_timeout_over_tls(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(tls=tls)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: "
    estuary.actions.append(then(head, estuary.drip(b"y" * 1000)))

    with ends_after(0.5):
        client_of(estuary, timeout=0.5).stats()


@pytest.mark.usefixtures("_trusted")
def test_a_connection_that_breaks_after_the_request_is_no_tls_error(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(close_at_once, tls=tls)

    with pytest.raises(UpstreamUnavailable) as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "reset"
    assert caught.value.maybe_carried_out is True


@pytest.mark.usefixtures("_trusted")
def test_invalid_tls_after_the_request_may_follow_a_change(
    node: NodeFactory, tls: ssl.SSLContext
) -> None:
    estuary = node(lambda sock: socket.socket.sendall(sock, b"not a TLS record at all"), tls=tls)

    with pytest.raises(UpstreamUnavailable) as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "reset"
    assert caught.value.maybe_carried_out is True
