"""Which addresses are the proxy's."""

from __future__ import annotations

import pytest

from estuary_admin.sso.trusted_proxies import Peers


@pytest.mark.parametrize(
    ("words", "peer"),
    [
        (["10.0.0.5"], "10.0.0.5"),
        (["10.0.0.0/24"], "10.0.0.77"),
        (["10.0.0.5"], "::ffff:10.0.0.5"),  # as a socket for both protocols says it
        (["::ffff:10.0.0.5"], "10.0.0.5"),
        (["fd00::/64"], "fd00::1"),
        (["unix"], ""),
    ],
)
def test_the_proxy_is_known(words: list[str], peer: str) -> None:
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
def test_anybody_else_is_not(words: list[str], peer: str) -> None:
    assert peer not in Peers.of(words)


def test_none_is_none() -> None:
    assert not Peers()
    assert Peers(unix=True)
