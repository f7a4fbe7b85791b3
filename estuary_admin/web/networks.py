"""Networks and the addresses in them, whichever of its two spellings an IPv4 address comes in."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 as an IPv6 socket spells it


def unmapped(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        four = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((four, network.prefixlen - 96))
    return network


def plain(address: str) -> str:
    """An address in its one spelling, so that nobody counts twice; ValueError if it is none."""
    return str(unmapped(ip_network(ip_address(address))).network_address)


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        host = unmapped(ip_network(ip_address(address)))
    except ValueError:
        return False
    return any(
        host.version == network.version and host.subnet_of(network)  # type: ignore[arg-type]
        for network in map(unmapped, networks)
    )


def both_spellings(words: Iterable[str]) -> list[str]:
    """Addresses and networks, those of IPv4 once more as an IPv6 socket spells them."""
    found = []
    for word in words:
        found.append(word)
        network = ip_network(word)
        if isinstance(network, IPv4Network):
            six = int(MAPPED.network_address) | int(network.network_address)
            found.append(str(IPv6Network((six, network.prefixlen + 96))))
    return found
