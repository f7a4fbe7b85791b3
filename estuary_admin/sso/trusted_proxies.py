"""The proxies whose identity headers are believed: addresses, networks, or our unix socket."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from estuary_admin.web.client_address import Network, is_within, unmapped

MIN_PREFIX_LENGTHS = {4: 8, 6: 16}  # a shorter prefix means almost everyone


class MeansEveryone(ValueError):
    """The network is far too wide to be a proxy."""


@dataclass(frozen=True, slots=True)
class Peers:
    networks: tuple[Network, ...] = ()
    unix: bool = False

    @classmethod
    def of(cls, words: list[str]) -> Peers:
        """Read addresses, networks and the word `unix`; raise ValueError for anything else."""
        found = [unmapped(ip_network(word)) for word in words if word != "unix"]
        for network in _merged(found):
            if network.prefixlen < MIN_PREFIX_LENGTHS[network.version]:
                raise MeansEveryone(str(network))
        return cls(tuple(found), "unix" in words)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def __str__(self) -> str:
        return ", ".join([*map(str, self.networks), *(["a unix socket"] if self.unix else [])])

    @property
    def has_loopback(self) -> bool:
        """Whether every program on this machine has a proxy's address."""
        return "127.0.0.1" in self or "::1" in self

    def __contains__(self, peer: str) -> bool:
        """Whether this REMOTE_ADDR is a trusted proxy. With a unix socket it is empty."""
        if not peer:
            return self.unix
        return is_within(peer, self.networks)


def _merged(networks: list[Network]) -> list[Network]:
    """Merge adjacent networks, so that 0.0.0.0/1,128.0.0.0/1 counts as 0.0.0.0/0."""
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    return [*collapse_addresses(four), *collapse_addresses(six)]
