"""Two hundred requests a second for each client address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keys.sandbox import Sandbox
from keys.sandbox.estuary.rate_limiter import RateLimiter, client_address
from tests.keys.sandbox.clock import FrozenClock
from tests.keys.sandbox.wire import ask


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def node(clock: FrozenClock) -> Iterator[Sandbox]:
    with Sandbox(rate_limit=3, clock=clock.seconds) as node:
        yield node


def _statuses(node: Sandbox, times: int, method: str = "GET", **headers: str) -> list[int]:
    return [ask(node, method, "/health", **headers).status for _ in range(times)]


def test_a_burst_passes_and_is_available_again_after_a_second(
    node: Sandbox, clock: FrozenClock
) -> None:
    assert _statuses(node, 5) == [200, 200, 200, 429, 429]
    clock.move(1 / 3 + 0.001)
    assert _statuses(node, 2) == [200, 429]
    clock.move(60)
    assert _statuses(node, 4) == [200, 200, 200, 429]


def test_each_address_has_its_own_allowance_and_may_claim_any(node: Sandbox) -> None:
    assert _statuses(node, 4) == [200, 200, 200, 429]
    assert _statuses(node, 1, X_Forwarded_For="198.51.100.9, 127.0.0.1") == [200]


def test_preflights_do_not_count(node: Sandbox) -> None:
    assert _statuses(node, 9, method="OPTIONS") == [204] * 9
    assert _statuses(node, 3) == [200] * 3


@pytest.mark.parametrize("generation", ["legacy", "vintage"])
def test_older_nodes_have_no_limit(generation: str) -> None:
    with Sandbox(generation=generation, rate_limit=3) as node:
        assert _statuses(node, 9) == [200] * 9


def test_it_can_be_switched_off() -> None:
    with Sandbox(rate_limit=None) as node:
        assert _statuses(node, 250) == [200] * 250


def test_invented_addresses_do_not_fill_the_memory(clock: FrozenClock) -> None:
    limiter = RateLimiter(1, clock.seconds)

    for number in range(25_000):
        limiter.allows(str(number))

    assert len(limiter._buckets) <= 10_001


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({}, "peer"),
        ({"x-real-ip": "192.0.2.1"}, "192.0.2.1"),
        ({"x-forwarded-for": "192.0.2.2", "x-real-ip": "192.0.2.1"}, "192.0.2.2"),
        ({"x-forwarded-for": "192.0.2.3 , 192.0.2.4"}, "192.0.2.3"),
    ],
)
def test_the_first_forwarded_address_counts(headers: dict[str, str], address: str) -> None:
    assert client_address(headers, "peer") == address
