"""Which addresses count as a trusted proxy."""

from __future__ import annotations

import pytest

from estuary_admin.sso.trusted_proxies import Peers


@pytest.mark.parametrize(
    ("words", "peer"),
    [
        (["10.0.0.5"], "10.0.0.5"),
        (["10.0.0.0/24"], "10.0.0.77"),
        (["10.0.0.5"], "::ffff:10.0.0.5"),  # as a dual-stack socket reports it
        (["::ffff:10.0.0.5"], "10.0.0.5"),
        (["fd00::/64"], "fd00::1"),
        (["unix"], ""),
    ],
)
def test_the_address_of_a_proxy_is_trusted(words: list[str], peer: str) -> None:
    assert peer in Peers.of(words)


@pytest.mark.parametrize(
    ("words", "peer"),
    [
        (["10.0.0.5"], "10.0.0.6"),
        (["10.0.0.5"], ""),
        (["10.0.0.5"], "10.0.0.5, 1.2.3.4"),
        (["10.0.0.0/24"], "fd00::1"),
        (["unix"], "127.0.0.1"),
        ([], ""),
        ([], "127.0.0.1"),
    ],
)
def test_another_address_is_not_trusted(words: list[str], peer: str) -> None:
    assert peer not in Peers.of(words)


def test_peers_are_false_when_empty() -> None:
    assert not Peers()
    assert Peers(unix=True)
