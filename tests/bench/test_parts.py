"""Each part of the bench measures the right thing, in its smallest plan."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import exports, members, pages, paint, profile
from bench.plan import TINY
from bench.stage import Stage


def test_pages_are_asked_for_and_answered(stage: Stage) -> None:
    found = pages.measure(stage, TINY)

    asked = [(one.keys, one.connections) for one in found.figures]
    assert asked == [(10, 1), (10, 2), (60, 1)]
    for one in found.figures:
        assert min(one.node.requests, one.read.requests, one.kept.requests) > 0
        assert one.node.errors == one.read.errors == one.kept.errors == 0
        assert one.read.p50 <= one.read.p99 <= one.read.most
    assert all(one.rss > one.pss > 0 for one in found.memory)
    assert found.plain is not None
    assert found.slow is not None
    assert (found.plain.errors, found.slow.kept.errors) == (0, 0)
    # On a busy machine nothing is an upper limit, also for a page that does not ask the node.
    assert found.slow.kept.p50 > 0
    assert found.slow.read.p50 >= 1000 * TINY.slow


def test_every_member_at_once_gets_their_own_page(stage: Stage) -> None:
    with ThreadPoolExecutor(
        1
    ) as apart:  # other tests' browser may run an event loop in this thread
        found = apart.submit(members.measure, stage, TINY).result()

    assert (found.members, found.errors, found.sustained.errors) == (4, 0, 0)
    assert found.kept_errors == 0
    assert found.kept_p95 > 0
    assert 1000 * TINY.slow < found.p50 <= found.p95 <= found.most


def test_exports_come_whole(stage: Stage) -> None:
    found = exports.measure(stage, TINY)

    assert [one.mib for one in found] == [1, 2]
    assert all(0.9 < one.size / (one.mib << 20) < 1.1 for one in found)
    assert all(one.ratio > 0 and one.first_byte_ms > 0 for one in found)


@pytest.mark.browser
@pytest.mark.usefixtures("chromium")
def test_a_cold_browser_paints_a_row(stage: Stage) -> None:
    # In a thread of its own: the browser of other tests has an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(paint.measure, stage, TINY).result()

    for one in found:
        assert 0 < one.paint.first_byte <= one.paint.row_painted
        assert one.paint.html_size < one.paint.size
        assert one.paint.warm_requests <= one.paint.requests


def test_the_profile_names_where_the_time_goes(stage: Stage) -> None:
    [found] = profile.measure(stage, TINY)
    if not found.shares and os.environ.get("CI") != "true":
        pytest.skip("py-spy may not look into processes here")

    assert found.shares["templates"] > 0
    assert sum(found.shares.values()) == pytest.approx(100)
