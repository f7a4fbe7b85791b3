"""Lifetimes: what people write, what Estuary is sent, what pages say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys.upstream import DurationError, describe, parse_lifetime, to_go


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("36h", timedelta(hours=36)),
        ("45d", timedelta(days=45)),
        ("2w", timedelta(weeks=2)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5h", timedelta(minutes=30)),
        ("1m", timedelta(minutes=1)),
        ("90s", timedelta(seconds=90)),
        ("1w2d3h4m5s", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
        (" 36 H ", timedelta(hours=36)),
        ("2 Weeks", timedelta(weeks=2)),
        ("1 day 12 hours", timedelta(hours=36)),
        ("0.1h", timedelta(minutes=6)),
        ("61.9s", timedelta(seconds=61)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_what_people_write_is_understood(text: str, lifetime: timedelta) -> None:
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Write how long"),
        ("   ", "Write how long"),
        ("0", "at least one minute"),
        ("0h", "at least one minute"),
        ("0.0d", "at least one minute"),
        ("-5h", "at least one minute"),
        ("-1", "at least one minute"),
        ("59s", "at least one minute"),
        ("0.9m", "at least one minute"),
        ("30", "Add a unit"),
        ("1.5", "Add a unit"),
        ("36501d", "at most 100 years"),
        ("876001h", "at most 100 years"),
        ("999999999999w", "at most 100 years"),
        ("never", "not a length of time"),
        ("abc", "not a length of time"),
        ("1M", "not a length of time"),
        ("1y", "not a length of time"),
        ("h", "not a length of time"),
        ("1h30", "not a length of time"),
        ("+1h", "not a length of time"),
        ("1e3h", "not a length of time"),
        ("1,5h", "not a length of time"),
        ("1..5h", "not a length of time"),
        ("1h;x", "not a length of time"),
        ("\u0661h", "not a length of time"),
        ("1h\0", "not a length of time"),
        ("9" * 13 + "h", "not a length of time"),
        ("1h" * 40, "not a length of time"),
        ("2030-01-01", "not a length of time"),
    ],
)
def test_a_text_that_is_no_lifetime_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(DurationError, match=sentence) as caught:
        parse_lifetime(text)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("lifetime", "text"),
    [
        (None, "false"),
        (timedelta(days=45), "1080h"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(seconds=61), "1m1s"),
        (timedelta(seconds=3601), "1h1s"),
        (timedelta(days=36500), "876000h"),
        (timedelta(seconds=59, microseconds=999_999), "59s"),
    ],
)
def test_a_lifetime_is_sent_as_a_go_duration(lifetime: timedelta | None, text: str) -> None:
    assert to_go(lifetime) == text


@pytest.mark.parametrize("seconds", [60, 61, 86_399, 86_401, 31_536_001, 3_153_599_999])
def test_a_lifetime_is_sent_to_the_second(seconds: int) -> None:
    lifetime = timedelta(seconds=seconds)

    assert parse_lifetime(to_go(lifetime)) == lifetime


@pytest.mark.parametrize(
    "lifetime",
    [timedelta(0), timedelta(milliseconds=999), timedelta(seconds=-1), timedelta(hours=2562048)],
)
def test_a_lifetime_that_estuary_cannot_use_is_refused(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        to_go(lifetime)


@pytest.mark.parametrize(
    ("lifetime", "text"),
    [
        (None, "never"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=45), "45 days"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(hours=36, seconds=1), "1 day 12 hours 1 second"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_a_lifetime_is_described_in_words(lifetime: timedelta | None, text: str) -> None:
    assert describe(lifetime) == text
