"""Dismissing the count of keys in plain text, with and without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.stage import Stage

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("member", "has_scripts"), [("alice", True), ("varied", False)])
def test_the_count_of_keys_in_plain_text_can_be_dismissed(
    stage: Stage, member: str, has_scripts: bool
) -> None:
    with stage.page_of(member, java_script_enabled=has_scripts) as page:
        page.goto("/keys/?sort=label&fresh=1")  # without scripts, an old list reloads itself
        filters = page.get_by_role("navigation", name="Filter keys")
        expect(filters.get_by_role("link", name="3 in plain text")).to_be_visible()

        filters.get_by_role("button", name="Dismiss “in plain text”").click()

        expect(page.get_by_role("link", name="Show them")).to_be_visible()
        assert page.url.partition("&")[0].endswith("/keys/?sort=label")
        expect(filters.get_by_text("in plain text")).to_have_count(0)
        page.get_by_role("link", name="Show them").click()
        expect(filters.get_by_role("link", name="3 in plain text")).to_be_visible()
