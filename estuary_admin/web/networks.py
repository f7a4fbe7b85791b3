"""Compare addresses and networks; an IPv6 socket writes IPv4 addresses as `::ffff:192.0.2.1`."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

IPV4_MAPPED = IPv6Network("::ffff:0:0/96")


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
