"""The node's address: what is accepted, and that it reaches the wire as it is meant."""

from __future__ import annotations

import socket

import pytest

from keys.sandbox import Sandbox
from keys.upstream import EstuaryClient
from tests.keys.upstream.conftest import STATS, TOKEN, NodeFactory
from tests.keys.upstream.server import json_reply


@pytest.mark.parametrize(
    "url",
    [
        "ftp://estuary.example",
        "estuary.example",
        "https://",
        "http://user:pw@estuary.example",
        "http://estuary.example/?a=b",
        "http://estuary.example/#x",
        "http://estuary example",
        "http://estuary.example:0",
        "http://estuary.example:x",
        "http://[::1",
        "http://\uff45stuary.example",
        "http://evil.example\\@127.0.0.1/",
    ],
)
def test_a_wrong_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address of Estuary"):
        EstuaryClient(url, "ESTxARY")


@pytest.mark.parametrize("prefix", ["/node/1", "/node/1/", "//node//1//"])
def test_an_address_may_have_a_path_before_that_of_estuary(node: NodeFactory, prefix: str) -> None:
    estuary = node(json_reply(STATS))
    EstuaryClient(estuary.url + prefix, TOKEN).stats()

    assert estuary.requests[0].target == "/node/1/user/stats"
    assert estuary.requests[0].headers["host"] == f"127.0.0.1:{estuary.port}"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a b", "/a%20b"),
        ("/$(id)", "/$(id)"),
        ("/`id`;x'y", "/%60id%60;x'y"),
        ("/é%20%41", "/%C3%A9%20%41"),
        ("/50%", "/50%25"),
        ("/a/../b/./c", "/b/c"),
    ],
)
def test_odd_characters_in_its_path_are_sent_as_a_url_has_them(
    node: NodeFactory, path: str, sent: str
) -> None:
    estuary = node(json_reply(STATS))
    EstuaryClient(estuary.url + path, TOKEN).stats()

    assert estuary.requests[0].target == f"{sent}/user/stats"


def test_a_node_at_an_ipv6_address_is_asked() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Sandbox(listen="[::1]:0") as sandbox:
        token = sandbox.add_key(sandbox.add_user("alice", contents=1))
        assert EstuaryClient(sandbox.url, token).stats().pin_count == 1
        host = sandbox.requests[0].headers["host"]

    assert host == sandbox.url.removeprefix("http://")
