"""Which keys a member is told about, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from keys.notices.thresholds import AT_END, reminders_for
from keys.upstream import ApiKey

NOW = datetime(2026, 3, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)
USUAL = (30, 14, 7, 1)


def key(left: timedelta, name: str = "a", *, is_session: bool = False) -> ApiKey:
    return ApiKey(name * 43, name, NOW + left, is_session)


def crossed(left: timedelta, *told: int, days: tuple[int, ...] = USUAL) -> tuple[int, ...]:
    pairs = {("a" * 43, one) for one in told}
    found = reminders_for([key(left)], NOW, days, pairs, {})
    return found[0].crossed if found else ()


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (31 * DAY, ()),
        (30 * DAY, (30,)),
        (10 * DAY, (14, 30)),
        (timedelta(hours=5), (1, 7, 14, 30)),
        (timedelta(0), (0, 1, 7, 14, 30)),
        (-2 * DAY, (0, 1, 7, 14, 30)),
        (-4 * DAY, ()),  # no news any more
        (36_000 * DAY, ()),
    ],
)
def test_a_key_that_crosses_a_threshold_is_told_of(
    left: timedelta, expected: tuple[int, ...]
) -> None:
    assert crossed(left) == expected


def test_each_threshold_is_told_once() -> None:
    assert crossed(10 * DAY, 14, 30) == ()
    assert crossed(10 * DAY, 30) == (14,)
    assert crossed(-DAY, 30, 14, 7, 1) == (AT_END,)
    assert crossed(-DAY, 0) == ()  # what was skipped before is no news after the end


def test_members_choose_their_thresholds_and_hear_of_the_end_anyhow() -> None:
    assert crossed(10 * DAY, days=(7,)) == ()
    assert crossed(-DAY, days=()) == (AT_END,)


def test_a_threshold_beyond_the_lifetime_that_was_just_chosen_is_no_news() -> None:
    one = key(7 * DAY)
    lifetimes = {one.token_hash: 7 * DAY}

    assert reminders_for([one], NOW, USUAL, set(), lifetimes) == []
    later = reminders_for([one], NOW + 6 * DAY, USUAL, set(), lifetimes)
    assert [reminder.crossed for reminder in later] == [(1,)]


def test_session_keys_are_estuarys_own() -> None:
    assert reminders_for([key(DAY, is_session=True)], NOW, USUAL, set(), {}) == []


def test_what_ends_first_comes_first() -> None:
    keys = [key(9 * DAY, "b"), key(-DAY, "c"), key(2 * DAY, "d")]

    found = reminders_for(keys, NOW, USUAL, set(), {})

    assert [(one.key.label, one.days_left, one.has_ended) for one in found] == [
        ("c", 0, True),
        ("d", 2, False),
        ("b", 9, False),
    ]
