"""The form of a new key: its sentence, its choices, and what a link fills in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from keys.upstream.durations import DurationError, describe, parse_lifetime
from tests.browser.conftest import Member, sign_in

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


@pytest.fixture
def page(open_page: OpenPage, member: Member) -> Page:
    page = open_page(timezone_id="America/Adak")
    sign_in(page, member)
    page.goto("/keys/new/")
    return page


def summary(page: Page) -> str:
    return page.locator("[data-summary-text]").inner_text()


def test_the_sentence_names_the_zone_as_the_created_page_does(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page(timezone_id="Europe/Berlin")
    sign_in(page, member)
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("zoned")
    page.get_by_text("On a date", exact=True).click()
    for day, zone in (("2036-01-31", "CET"), ("2036-07-31", "CEST")):
        page.get_by_label("Last day").fill(day)
        assert summary(page).endswith(f", 23:59 {zone}.")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("31 Jul 2036, 23:59 CEST")).to_be_visible()


def test_the_sentence_says_what_the_server_accepts(page: Page) -> None:
    page.get_by_text("Custom", exact=True).click()
    field = page.get_by_label("Custom lifetime")
    texts = ["2w", "2w 1d", "1.5h", "2 weeks", "36H", "90 mins", "0.1h", ".5d", "1h30m5s", "36500d"]
    texts += ["1m", "59s", "1M", "soon", "5", "-1h", "36501d", "1h!", "0", "1 month", "1,5h"]
    for text in texts:
        field.fill(text)
        try:
            expected = f", valid for {describe(parse_lifetime(text))}, until "
        except DurationError:
            expected = ": write its lifetime, for example"
        assert expected in summary(page), text


def test_a_date_is_said_back_as_a_duration_and_a_date(page: Page) -> None:
    page.get_by_text("On a date", exact=True).click()
    assert "choose its last day" in summary(page)
    page.get_by_label("Last day").fill("2098-07-31")
    assert ", valid for " in summary(page)
    assert " days" in summary(page)
    assert summary(page).endswith("until 31 Jul 2098, 23:59 HADT.")
    page.get_by_label("Last day").fill("2001-01-31")
    assert "choose its last day" in summary(page)


def test_a_key_is_created_with_its_last_day_in_the_zone_of_the_browser(
    page: Page, member: Member
) -> None:
    expect(page.get_by_text("23:59 of that day, America/Adak")).to_have_count(1)
    page.get_by_label("Label").fill("dated")
    page.get_by_text("On a date", exact=True).click()
    page.get_by_label("Last day").fill("2060-01-31")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("31 Jan 2060, 23:59 HST")).to_be_visible()
    expect(page.get_by_text("Lifetime")).to_be_visible()
    assert [key.label for key in member.account.keys.values()] == ["console", "dated"]


def test_a_day_whose_last_hour_comes_twice_ends_with_the_second_one(
    open_page: OpenPage, member: Member
) -> None:
    zone = ZoneInfo("America/Santiago")  # clocks are set back at midnight
    days = (datetime(2060, 3, 1, 23, 59, tzinfo=zone) + timedelta(days=n) for n in range(60))
    [first] = [day for day in days if day.utcoffset() != day.replace(fold=1).utcoffset()]

    def words() -> str:
        seconds = int((first.replace(fold=1).astimezone(UTC) - datetime.now(UTC)).total_seconds())
        return f", valid for {describe(timedelta(seconds=seconds - seconds % 3600))}, until "

    page = open_page(timezone_id=zone.key)
    sign_in(page, member)
    page.goto("/keys/new/")
    page.get_by_text("On a date", exact=True).click()
    page.get_by_label("Last day").fill(first.date().isoformat())
    before, said, after = words(), summary(page), words()

    assert before in said or after in said


def test_choosing_a_lifetime_moves_nothing(page: Page) -> None:
    places = [page.get_by_text("Permission", exact=True), page.get_by_label("Purpose")]
    before = [place.bounding_box() for place in places]
    for name in ("1 hour", "Custom", "On a date", "No expiry", "30 days"):
        page.get_by_text(name, exact=True).click()
        assert [place.bounding_box() for place in places] == before, name


def test_half_a_date_does_not_keep_the_form_from_being_sent(page: Page) -> None:
    page.get_by_label("Label").fill("changed my mind")
    page.get_by_text("On a date", exact=True).click()
    page.get_by_label("Last day").press_sequentially("12")
    page.get_by_text("7 days", exact=True).click()
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def test_the_label_is_focused(page: Page) -> None:
    expect(page.get_by_label("Label")).to_be_focused()


def test_a_link_fills_the_form_with_scripts(page: Page) -> None:
    page.goto("/keys/new/?label=ci&custom_lifetime=2w&permission=all&purpose=" + "x" * 501)
    expect(page.get_by_label("Custom lifetime")).to_have_value("2w")
    assert summary(page).startswith("Key “ci” with full access, valid for 14 days, until ")
    expect(page.get_by_text("value was left out.")).to_be_visible()
