"""Times on an open page stay true, without requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import Member, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser


@pytest.fixture
def page(console: Console, open_page: Callable[..., Page], member: Member) -> Page:
    """The list with a key that expires in three minutes, and a clock that the test moves."""
    console.node.add_key(member.account, "short", timedelta(minutes=3, seconds=30))
    page = open_page()
    sign_in(page, member)
    page.clock.install(time=datetime.now(UTC))
    page.goto("/keys/")
    return page


def test_times_stay_true_without_a_request(page: Page) -> None:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    foot = page.locator(".list-state")
    row = page.get_by_role("row").filter(has_text="short")
    expect(foot).to_contain_text("read just now")
    expect(row).to_contain_text("in 3 minutes")

    page.clock.run_for(12_000)
    expect(foot).to_contain_text("12 seconds ago")
    page.clock.run_for(60_000)
    expect(row).to_contain_text("in 2 minutes")
    expect(foot).to_contain_text("1 minute ago")
    expect(row.locator(".is-expiring")).to_be_visible()

    page.clock.run_for(180_000)
    expect(row.locator(".is-expired")).to_contain_text("just now")
    assert asked == []


def test_a_wrong_clock_of_the_browser_changes_nothing(
    open_page: Callable[..., Page], member: Member
) -> None:
    page = open_page()
    sign_in(page, member)
    page.clock.install(time=datetime.now(UTC) - timedelta(days=400))
    page.goto("/keys/")
    page.clock.run_for(3_000)
    expect(page.locator(".list-state")).to_contain_text("seconds ago")
