"""The node's clock, by the `Date` of its answers, and how the node was last seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from keys.sandbox import Sandbox
from keys.upstream import EstuaryClient, UpstreamUnavailable, last_seen
from tests.keys.upstream.conftest import (
    CREATED,
    ROW,
    SPEC,
    STATS,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import json_reply, reset

AN_HOUR = timedelta(hours=1)
TOLERANCE = timedelta(seconds=20)  # `Date` has whole seconds, and a test may be slow


def http_date(ahead: timedelta) -> str:
    return format_datetime(datetime.now(UTC) + ahead, usegmt=True)


def test_an_answer_tells_the_nodes_time_and_how_far_it_is_ahead(node: NodeFactory) -> None:
    date = http_date(AN_HOUR)

    listed = client_of(node(json_reply([ROW], Date=date))).list_keys()

    assert listed.node_time
    assert format_datetime(listed.node_time, usegmt=True) == date
    assert listed.clock
    assert abs(listed.clock.ahead - AN_HOUR) < TOLERANCE


def test_stats_and_a_new_key_tell_it_too(node: NodeFactory) -> None:
    date = http_date(-AN_HOUR)
    client = client_of(node(json_reply(STATS, Date=date), json_reply(CREATED, Date=date)))

    for clock in (client.stats().clock, client.create_key(SPEC).clock):
        assert clock
        assert abs(clock.ahead + AN_HOUR) < TOLERANCE


@pytest.mark.parametrize(
    "date",
    [
        "",
        "now",
        "-1",
        "Sat, 32 Nov 2026 11:00:00 GMT",
        "Sat, 28 Nov 99999 11:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 9990 00:00:00 GMT",
        "Sat, 28 Nov 2026 11:00:00 +9999999999",
        "1" * 5000,
        "Sat, 28 Nov 2026 99:00:00 GMT",
    ],
)
def test_a_date_that_is_absent_or_unreadable_is_no_time(node: NodeFactory, date: str) -> None:
    listed = client_of(node(json_reply([ROW], Date=date))).list_keys()

    assert len(listed.keys) == 1
    assert listed.node_time is None


@pytest.mark.parametrize(
    "date",
    [
        "Sat, 28 Nov 2026 11:00:00 -0000",
        "28 Nov 2026 12:00:00 +0100",
        "Saturday, 28-Nov-26 11:00:00 GMT",
    ],
)
def test_other_spellings_of_a_date_are_read(node: NodeFactory, date: str) -> None:
    listed = client_of(node(json_reply([ROW], Date=date))).list_keys()

    assert listed.node_time == datetime(2026, 11, 28, 11, tzinfo=UTC)


def test_a_node_an_hour_behind_is_seen_so() -> None:
    with Sandbox(clock_offset=-3600) as sandbox:
        token = sandbox.add_key(sandbox.add_user("alice"), lifetime=timedelta(minutes=30))
        listed = EstuaryClient(sandbox.url, token).list_keys()

    assert listed.node_time
    assert listed.clock
    assert abs(listed.clock.ahead + AN_HOUR) < TOLERANCE
    assert not listed.keys[0].is_expired(listed.node_time)
    assert listed.keys[0].is_expired(datetime.now(UTC))


def test_how_the_node_was_last_seen_is_kept(node: NodeFactory) -> None:
    began = datetime.now(UTC)
    client_of(node(json_reply([ROW], Date=http_date(AN_HOUR)))).list_keys()

    seen = last_seen()
    assert seen
    assert seen.at >= began
    assert (seen.outcome, seen.is_reachable) == ("ok", True)
    assert seen.clock
    assert abs(seen.clock.ahead - AN_HOUR) < TOLERANCE


def test_a_node_that_is_gone_is_seen_so_and_its_clock_is_still_known(node: NodeFactory) -> None:
    client_of(node(json_reply([ROW], Date=http_date(AN_HOUR)))).list_keys()
    with pytest.raises(UpstreamUnavailable):
        client_of(node(reset, reset, reset)).list_keys()

    seen = last_seen()
    assert seen
    assert (seen.outcome, seen.is_reachable) == ("reset", False)
    assert seen.clock
    assert seen.clock.ahead > timedelta(minutes=30)


def test_a_refusal_tells_the_clock_as_well(node: NodeFactory) -> None:
    with pytest.raises(Exception, match="does not know"):
        client_of(
            node(
                json_reply({"error": {"reason": "ERR_INVALID_TOKEN"}}, 401, Date=http_date(AN_HOUR))
            )
        ).list_keys()

    seen = last_seen()
    assert seen
    assert (seen.outcome, seen.is_reachable) == ("token-rejected", True)
    assert seen.clock
    assert seen.clock.ahead > timedelta(minutes=30)
