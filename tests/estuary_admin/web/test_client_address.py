"""The address of the client, with and without proxies."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from estuary_admin.web.client_address import client_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        (
            "198.51.100.7",
            "203.0.113.9",
            "198.51.100.7",
        ),  # not a trusted proxy: the header counts for nothing
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the client wrote the first
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # a client inside the network
        ("10.0.0.1", "garbage", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "203.0.113.9", ""),  # a unix socket
        # IPv4 addresses as an IPv6 socket writes them.
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        ("::ffff:198.51.100.7", "203.0.113.9", "198.51.100.7"),
        # Ports, brackets and quotes, as Azure, IIS and HAProxy write them.
        ("10.0.0.1", "203.0.113.5:51234", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("10.0.0.1", "[2001:DB8::7]", "2001:db8::7"),
        ("10.0.0.1", '"[2001:db8::7]:443"', "2001:db8::7"),
        ("10.0.0.1", "[::ffff:203.0.113.5]:80", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5:51234, 10.0.0.2:9999", "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6:1, 203.0.113.5:51234", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5:", "203.0.113.5"),
        # A zone can be any text; PostgreSQL's inet takes none.
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("10.0.0.1", "[fe80::1%<b>]:443", "fe80::1"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("10.0.0.1", "203.0.113.5,", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5:port", "10.0.0.1"),
        ("10.0.0.1", "[203.0.113.5", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::7:443", "2001:db8::7:443"),  # without brackets this is an address
    ],
)
def test_only_trusted_proxies_count(
    rf: Any, settings: Any, peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]

    request = rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)

    assert client_address(request) == address


def test_without_trusted_proxies_the_peer_counts(rf: Any, settings: Any) -> None:
    settings.TRUSTED_PROXIES = []

    request = rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9")

    assert client_address(request) == "10.0.0.1"
