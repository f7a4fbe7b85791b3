"""The address of the client; X-Forwarded-For counts only from TRUSTED_PROXIES."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

from estuary_admin.web.unreadable_headers import report_unreadable

Network = IPv4Network | IPv6Network

#: How an IPv6 socket writes an IPv4 address.
IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
#: `203.0.113.5`, `203.0.113.5:51234`, `[2001:db8::7]:443` and, as the last, `2001:db8::7`.
ADDRESS_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{0,5})?|([\d.]+)(?::\d{0,5})?")


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not in TRUSTED_PROXIES, or "" behind a unix socket."""
    nearest = normalised(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    while hops and is_trusted_proxy(nearest):
        hop = hops.pop().strip()
        address = forwarded_address(hop)
        if not address:
            if hop:
                report_unreadable("X-Forwarded-For", hop)
            break
        nearest = address
    return nearest


def forwarded_address(text: str) -> str:
    """The address in one value of X-Forwarded-For, without port, brackets and quotes, or ""."""
    text = text.strip().strip('"')
    match = ADDRESS_WITH_PORT.fullmatch(text)
    return normalised(match[1] or match[2] if match else text)


def normalised(address: str) -> str:
    """The address in its one spelling, or "" for anything else."""
    try:
        return plain(address)
    except ValueError:
        return ""


def is_trusted_proxy(address: str) -> bool:
    return is_within(address, settings.TRUSTED_PROXIES)


def comes_from_proxy(request: HttpRequest) -> bool:
    """Whether one of TRUSTED_PROXIES forwarded the request, so that its headers count."""
    return is_trusted_proxy(request.META.get("REMOTE_ADDR", ""))


def unmapped(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(IPV4_MAPPED):
        four = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((four, network.prefixlen - 96))
    return network


def plain(address: str) -> str:
    """The normalised address, so that one client is counted once; raises ValueError."""
    return str(_network_of(address).network_address)


def _network_of(address: str) -> Network:
    """The address alone: a zone (`fe80::1%eth0`) can be any text, and no database stores it."""
    host = ip_address(address)
    return unmapped(ip_network(IPv6Address(int(host)) if isinstance(host, IPv6Address) else host))


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether the text is an address in one of the networks."""
    try:
        host = _network_of(address)
    except ValueError:
        return False
    return any(
        host.version == network.version and host.subnet_of(network)  # type: ignore[arg-type]
        for network in map(unmapped, networks)
    )
