"""Size and pins over time: a chart with words and a table, spans, and a file."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.audit.vocabulary import Action
from keys.models import StatsSample, SyncedAccount
from keys.stats import history
from tests.conftest import signed_in
from tests.keys.evidence import last_row, words_of

DAY = timedelta(days=1)


@pytest.fixture
def samples(alice: User) -> SyncedAccount:
    """Samples of today, 20, 60 and 300 days ago, and one of another account."""
    account = SyncedAccount.objects.create(member=alice)
    for days, size in ((300, 1), (60, 100), (20, 300), (0, 200)):
        StatsSample.objects.create(
            account=account,
            epoch=account.epoch,
            day=history.today() - days * DAY,
            total_size=size,
            pin_count=size // 10,
        )
    StatsSample.objects.create(
        account=account, epoch=uuid.uuid4(), day=history.today(), total_size=9, pin_count=9
    )
    return account


@pytest.mark.parametrize(
    ("days", "sizes"),
    [
        ("", [300, 200]),
        ("30", [300, 200]),
        ("90", [100, 300, 200]),
        ("365", [1, 100, 300, 200]),
        ("7", [300, 200]),
        ("9" * 5000, [300, 200]),
        ("²", [300, 200]),
    ],
)
def test_a_span_has_its_samples(
    samples: SyncedAccount, alice: User, days: str, sizes: list[int]
) -> None:
    found = history.of_member(alice, history.span_in(days))

    assert [point.total_size for point in found.points] == sizes


def test_the_page_has_charts_with_words_and_a_table(
    browser: Client, samples: SyncedAccount
) -> None:
    page = browser.get("/stats/?days=90").content.decode()

    assert page.count('role="img"') == 2
    assert "Stored by your account over time" in page
    assert "least 100 B, most 300 B." in page
    assert '<polyline points="0.0,120.0 400.0,0.0 600.0,60.0">' in page
    words = words_of(browser.get("/stats/?days=90"))
    assert "Stored: 200 B (more by 100 B since" in words
    assert "Pins: 20 (more by 10)" in words


def test_figures_that_stay_are_unchanged(browser: Client, samples: SyncedAccount) -> None:
    StatsSample.objects.update(total_size=200, pin_count=20)

    words = words_of(browser.get("/stats/?days=90"))

    assert "Stored: 200 B (unchanged since" in words
    assert "Pins: 20 (unchanged)" in words


def test_one_sample_is_a_dot(alice: User) -> None:
    chart = history.chart_of([(history.today(), 5)])

    assert (chart.points, chart.dot) == ("600,60.0", (600, 60.0))


def test_the_file_has_the_span(browser: Client, samples: SyncedAccount) -> None:
    response = browser.get("/stats/download/?days=90")

    lines = response.content.decode().splitlines()
    assert lines[0] == "day,bytes,pins"
    assert lines[-1] == f"{history.today():%Y-%m-%d},200,20"
    assert len(lines) == 4
    assert last_row(Action.STATS_DOWNLOADED).detail == {"days": 90}


def test_nobody_gets_the_figures_of_others(samples: SyncedAccount) -> None:
    other = signed_in(User.objects.create_user("bob"))

    assert other.get("/stats/download/").content.decode() == "day,bytes,pins\r\n"
    assert Client().get("/stats/download/").status_code == 302
