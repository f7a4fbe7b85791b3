"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from keys.templatetags.formats import exact_moment, moment, past_moment, relative

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(milliseconds=900), "in less than a minute"),
        (timedelta(seconds=-59), "just now"),
        (timedelta(seconds=89), "in 1 minute"),
        (timedelta(hours=2), "in 2 hours"),
        (timedelta(hours=-23, minutes=-59), "24 hours ago"),
        (timedelta(days=2), "in 2 days"),
        (timedelta(days=30) - timedelta(seconds=1), "in 30 days"),
        (timedelta(days=59), "in 59 days"),
        (timedelta(days=60), "in 2 months"),
        (timedelta(days=-729), "24 months ago"),
        (timedelta(days=731), "in 2 years"),
    ],
)
def test_how_far_away_a_moment_is(away: timedelta, words: str) -> None:
    assert relative(NOW + away, NOW) == words


@pytest.mark.parametrize(
    ("away", "words"),
    [(-1.0, "just now"), (-12.0, "12 seconds ago"), (-60.0, "1 minute ago")],
)
def test_what_was_just_read_is_told_to_the_second(away: float, words: str) -> None:
    assert relative(NOW + timedelta(seconds=away), NOW, to_the_second=True) == words


def test_an_exact_moment_is_in_the_members_zone() -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert exact_moment(NOW) == "24 Nov 2026, 19:00 CET"
    assert exact_moment(NOW) == "24 Nov 2026, 18:00 UTC"


def test_a_moment_shows_both_and_is_readable_to_programs() -> None:
    with time_machine.travel(NOW, tick=False):
        tag = moment(NOW + timedelta(days=2))

    assert tag == (
        '<time datetime="2026-11-26T18:00:00+00:00" title="26 Nov 2026, 18:00 UTC" '
        'data-relative="">in 2 days</time>'
    )


@pytest.mark.parametrize("to_the_second", [True, False])
def test_what_has_happened_has_no_negative_age(to_the_second: bool) -> None:
    with time_machine.travel(NOW, tick=False):
        soon = past_moment(NOW + timedelta(seconds=5), to_the_second=to_the_second)
        later = past_moment(NOW + timedelta(hours=1), to_the_second=to_the_second)

    assert ">just now<" in soon
    # Our clock was set back by an hour: the moment itself is all that can be said.
    assert ">24 Nov 2026, 19:00 UTC<" in later
    assert "data-relative" not in later


def test_an_expiry_is_told_by_the_clock_of_the_node() -> None:
    with time_machine.travel(NOW, tick=False):
        tag = moment(NOW + timedelta(minutes=30), clock_ahead=timedelta(hours=-1))

    assert ">in 2 hours<" in tag
    assert 'data-ahead="-3600"' in tag
