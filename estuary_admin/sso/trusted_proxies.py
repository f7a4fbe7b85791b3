"""Who may bring identities: the addresses of the proxies, or the unix socket we listen on."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from estuary_admin.web.networks import Network, is_within, unmapped

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
        found = [unmapped(ip_network(word)) for word in words if word != "unix"]
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
        return is_within(peer, self.networks)


def _joined(networks: list[Network]) -> list[Network]:
    """Halves put together, so that 0.0.0.0/1,128.0.0.0/1 is seen for what it is."""
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    return [*collapse_addresses(four), *collapse_addresses(six)]
