"""The key table: how much of it is seen, and that paging never leads to a revocation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox.seeding import seed_keys
from tests.browser.conftest import Member, sign_in
from tests.browser.stage import Stage
from tests.support.console import Console

pytestmark = pytest.mark.browser

WHOLE_ROWS = """() => [...document.querySelectorAll(".keys tbody tr:not(.group)")].filter((it) => {
  const box = it.getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight;
}).length"""
#: The tree that Chromium gives to screen readers: the layout must not end the table in it.
TABLE_ROLES = ("table", "rowgroup", "row", "columnheader", "rowheader", "cell")

LAPTOP = {"viewport": {"width": 1280, "height": 900}}
ZOOMED = {"viewport": {"width": 640, "height": 450}}  # 1280 by 900 at 200 %
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("who", ["alice", "many"])
@pytest.mark.parametrize(("options", "least"), [(LAPTOP, 14), (ZOOMED, 3), (PHONE, 6)])
def test_enough_whole_rows_are_seen_at_once(
    stage: Stage, who: str, options: dict[str, Any], least: int
) -> None:
    with stage.page_of(who, **options) as page:
        page.goto("/keys/")
        # Other tests of this stage may have left notices.
        page.evaluate("document.querySelectorAll('.notice').forEach((it) => it.remove())")
        assert page.evaluate(WHOLE_ROWS) >= least


@pytest.mark.parametrize("width", [390, 640, 768, 900, 1280])
def test_the_end_of_a_key_does_not_run_into_its_actions(stage: Stage, width: int) -> None:
    with stage.page_of("alice", viewport={"width": width, "height": 900}) as page:
        page.goto("/keys/")
        overlaps = page.evaluate("""() => [...document.querySelectorAll(".keys .row-actions a")]
          .filter((link) => {
            const range = document.createRange();
            range.selectNodeContents(link.closest("tr").querySelector(".key-end"));
            const [end, action] = [range.getBoundingClientRect(), link.getBoundingClientRect()];
            return end.right > action.left && end.bottom > action.top && end.top < action.bottom;
          }).length""")
        assert overlaps == 0


@pytest.mark.parametrize("options", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_screen_reader_gets_a_table(stage: Stage, options: dict[str, Any]) -> None:
    with stage.page_of("team", **options) as page:
        page.goto("/keys/")
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
        roles = [node.get("role", {}).get("value") for node in tree["nodes"]]
        rows = page.locator(".keys tbody tr:not(.group)").count()
        heads = page.locator(".keys .group").count()

        assert {role for role in TABLE_ROLES if role not in roles} == set()
        assert roles.count("row") == rows + heads + 1
        assert roles.count("rowheader") >= rows
        assert roles.count("columnheader") == 3


@pytest.fixture
def page(console: Console, open_page: Callable[..., Page], member: Member) -> Page:
    seed_keys(console.node, member.account, 130, seed=member.account.id + 1000)
    page = open_page(ignored="htmx:", **LAPTOP)  # a click while the list is on its way
    sign_in(page, member)
    return page


@pytest.mark.parametrize("place", ["above", "below"])
def test_clicking_next_again_and_again_never_revokes(page: Page, place: str) -> None:
    page.locator(f"#page-next-{place}").scroll_into_view_if_needed()
    box = page.locator(f"#page-next-{place}").bounding_box()
    assert box
    for _ in range(4):
        page.mouse.dblclick(box["x"] + 20, box["y"] + 10)
        page.wait_for_timeout(250)
        assert "/revoke/" not in page.url
        expect(page.get_by_role("dialog")).to_be_hidden()


def test_previous_comes_before_next_in_the_pager_above(page: Page) -> None:
    pager = page.get_by_role("navigation", name="Pages, above the table")
    places = [pager.get_by_text(words).bounding_box() for words in ("Previous", "Next")]

    assert places[0]
    assert places[1]
    assert places[0]["x"] < places[1]["x"]


def test_the_pager_above_stays_under_the_pointer(page: Page) -> None:
    box = page.locator("#page-next-above").bounding_box()
    assert box
    for number in (2, 3, 4):
        page.mouse.click(box["x"] + 20, box["y"] + 10)
        expect(page.get_by_text(f"Page {number} of 4").first).to_be_visible()
