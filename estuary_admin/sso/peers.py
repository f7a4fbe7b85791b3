"""Who may bring identities: the addresses of the proxies, or the unix socket we listen on."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network

Network = IPv4Network | IPv6Network

MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 as an IPv6 socket spells it
WIDEST = {4: 8, 6: 16}  # fewer bits than these mean everyone, or nearly


class MeansEveryone(ValueError):
    """A network that nobody would call a proxy."""


@dataclass(frozen=True, slots=True)
class Peers:
    networks: tuple[Network, ...] = ()
    unix: bool = False

    @classmethod
    def of(cls, words: list[str]) -> Peers:
        """From addresses, networks and the word `unix`; ValueError for anything else."""
        found = [_unmapped(ip_network(word)) for word in words if word != "unix"]
        for network in _joined(found):
            if network.prefixlen < WIDEST[network.version]:
                raise MeansEveryone(str(network))
        return cls(tuple(found), "unix" in words)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def __contains__(self, peer: str) -> bool:
        """Whether a REMOTE_ADDR is one of ours; a unix socket leaves it empty."""
        if not peer:
            return self.unix
        try:
            address = _unmapped(ip_network(ip_address(peer)))
        except ValueError:
            return False
        return any(
            network.version == address.version and address.subnet_of(network)  # type: ignore[arg-type]
            for network in self.networks
        )


def _unmapped(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        four = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((four, network.prefixlen - 96))
    return network


def _joined(networks: list[Network]) -> list[Network]:
    """Halves put together, so that 0.0.0.0/1,128.0.0.0/1 is seen for what it is."""
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    return [*collapse_addresses(four), *collapse_addresses(six)]
