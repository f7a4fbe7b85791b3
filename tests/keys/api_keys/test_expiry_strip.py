"""The strip of the next 13 weeks: a mark for each key, a link for each week."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.keys.evidence import listed, words_of

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def several(node: Sandbox, account: Account) -> None:
    """Keys by the day on which they end, seen from noon; the console's own ends on day 30."""
    for days in (-0.2, 0.2, 6.4, 6.6, 90.4, 90.6):
        node.add_key(account, f"day {days}", timedelta(days=days))
    node.add_key(account, "session", timedelta(days=3), is_session=True)


def strip_of(client: Client, query: str = "") -> str:
    page = client.get(f"/keys/{query}").content.decode()
    return page.split('<nav class="strip"')[1].split("</nav>")[0]


def texts_of(strip: str) -> list[str]:
    """What a screen reader reads of each week."""
    return re.findall(r"\d+ \w{3}: \d+ keys?", re.sub("<[^>]*>", "", strip))


@pytest.mark.usefixtures("several")
def test_there_is_a_mark_for_each_key_that_ends_in_91_days(browser: Client) -> None:
    marks = re.search(' d="([^"]*)"', strip_of(browser))

    assert marks
    assert [float(x) for x in re.findall(r"M(\d+\.5) ", marks[1])] == [0.5, 6.5, 7.5, 30.5, 90.5]


@pytest.mark.usefixtures("several")
def test_each_week_says_its_keys_and_leads_to_them(browser: Client) -> None:
    strip = strip_of(browser)
    links = re.findall(r'href="/keys/\?week=([\d-]+)"', strip)
    texts = texts_of(strip)

    assert len(links) == len(texts) == 13
    assert (links[0], texts[0]) == ("2026-11-28", "28 Nov: 2 keys")
    assert (links[-1], texts[-1]) == ("2027-02-20", "20 Feb: 1 key")
    assert listed(browser, f"?week={links[0]}") == ["day 0.2", "day 6.4"]
    assert listed(browser, f"?week={links[1]}") == ["day 6.6"]
    assert listed(browser, f"?week={links[-1]}") == ["day 90.4"]


@pytest.mark.usefixtures("several")
def test_the_chosen_week_is_marked_and_leads_back(browser: Client) -> None:
    strip = strip_of(browser, "?week=2026-11-28&sort=label")

    assert strip.count('aria-current="true"') == 1
    assert 'href="/keys/?sort=label"' in strip
    assert (
        'id="chip-all" class="chip" href="/keys/?sort=label"'
        in browser.get("/keys/?week=2026-11-28&sort=label").content.decode()
    )


@pytest.mark.usefixtures("several")
def test_weeks_begin_at_midnight_in_the_members_zone(browser: Client) -> None:
    browser.cookies["timezone"] = "Pacific/Kiritimati"  # 14 hours ahead: already the next day

    assert "week=2026-11-29" in strip_of(browser)
    assert listed(browser, "?week=2026-11-29") == ["day 0.2", "day 6.4", "day 6.6"][:3]


@pytest.mark.usefixtures("several")
def test_a_search_and_a_filter_leave_the_strip_as_it_is(browser: Client) -> None:
    def marks(query: str) -> list[str]:
        return texts_of(strip_of(browser, query))

    assert marks("?q=6.4") == marks("?status=expired") == marks("")


def test_a_week_without_keys_says_so(browser: Client) -> None:
    page = words_of(browser.get("/keys/?week=2026-12-12"))

    assert "No key is in this group. Your other keys are still there." in page


def test_many_keys_on_one_day_are_one_column(
    browser: Client, node: Sandbox, account: Account
) -> None:
    for number in range(60):
        node.add_key(account, f"same day {number}", timedelta(days=3))

    strip = strip_of(browser)

    assert "M3.5 5v-5M3.5 4.8v-4.8" in strip
    assert "28 Nov: 60 keys" in texts_of(strip)
