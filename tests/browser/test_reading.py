"""Zoom, text spacing, forced colours, touch, print, screen readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import plays
from tests.browser.conftest import Member, sign_in
from tests.browser.scenes import SCENES, Scene
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]

#: The overrides of WCAG 1.4.12.
SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
  word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }"""
#: The content policy allows no inline style; a constructed style sheet is allowed.
RESTYLE = """(text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets = [sheet];
}"""
#: Text that is cut off, and whether the page is wider than the window.
CUT_OFF = """() => {
  const wide = document.documentElement.scrollWidth > innerWidth + 1 ? ["the page"] : [];
  const isHidden = (it) => it.closest(".visually-hidden") || it.matches("input, select, pre");
  const isCut = (it) => {
    const style = getComputedStyle(it);
    return it.scrollWidth > it.clientWidth + 1 && !isHidden(it) && style.clipPath === "none"
      && ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis";
  };
  const cut = [...document.querySelectorAll("body *")].filter(isCut);
  return [...wide, ...cut.map((it) => it.outerHTML.slice(0, 100))];
}"""
IN_ONE_LINE = "(links) => links.every((it) => it.offsetHeight <= 44)"
SMALL = """(least) => {
  const isSmall = (it) => {
    // The target of a field that is clipped away is its label.
    const isClipped = getComputedStyle(it).clipPath !== "none";
    const target = it.closest("label") ?? (isClipped ? it.labels?.[0] : null) ?? it;
    const box = target.getBoundingClientRect();
    const isInline = getComputedStyle(it).display === "inline";
    const isShown = it.checkVisibility() && box.width > 1 && !it.matches(".skip-link");
    return isShown && !isInline && (box.width < least || box.height < least);
  };
  const targets = [...document.querySelectorAll("a, button, input, summary, select")];
  return targets.filter(isSmall).map((it) => it.outerHTML.slice(0, 100));
}"""

LONG_ONES = {
    "sign-in", "keys-team", "keys-showcase", "keys-long", "create", "create-errors", "created",
    "key-with-history", "key-long", "revoke", "stats", "exports", "account", "connect", "audit",
}  # fmt: skip
OFTEN = [scene for scene in SCENES if scene.name in LONG_ONES]


@pytest.mark.parametrize("scene", OFTEN, ids=lambda scene: scene.name)
def test_nothing_is_lost_when_zoomed_or_spaced_out(stage: Stage, scene: Scene) -> None:
    with stage.page_of(scene.member) as page:
        scene.play(stage, page)
        for width, height in ((640, 400), (320, 256)):  # 1280 by 1024 at 200 % and at 400 %
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF) == [], width
        assert page.locator(".bar-nav a").evaluate_all(IN_ONE_LINE), "no broken words at 320"
        page.set_viewport_size({"width": 1280, "height": 800})
        page.evaluate(RESTYLE, "html { font-size: 200% !important; }")
        assert page.evaluate(CUT_OFF) == [], "text of 200 %"
        page.evaluate(RESTYLE, SPACING)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(CUT_OFF) == [], f"spaced out at {width}"


@pytest.mark.parametrize("scene", OFTEN, ids=lambda scene: scene.name)
def test_targets_are_large_enough(stage: Stage, phone: dict[str, Any], scene: Scene) -> None:
    for least, options in ((24, {}), (44, phone)):
        with stage.page_of(scene.member, **options) as page:
            scene.play(stage, page)
            assert page.evaluate(SMALL, least) == []


def test_on_a_phone_the_menu_is_above_the_links_whatever_the_name(
    stage: Stage, phone: dict[str, Any]
) -> None:
    with stage.page_of("expired", **phone) as page:
        page.goto("/account/")
        page.locator(".menu-name").evaluate("it => { it.textContent = 'maximiliane.musterfrau'; }")
        for width in (390, 360):
            page.set_viewport_size({"width": width, "height": 800})
            menu = page.locator(".menu summary").bounding_box()
            links = page.locator(".bar-nav").bounding_box()
            assert menu
            assert links
            assert menu["y"] + menu["height"] <= links["y"] + 1
            assert menu["x"] + menu["width"] <= width
        page.set_viewport_size({"width": 390, "height": 800})
        page.locator(".menu-name").evaluate("it => { it.textContent = 'expired'; }")
        whole = "it => it.scrollWidth <= it.clientWidth"
        assert page.locator(".menu-name").evaluate(whole)


def test_a_hint_is_below_a_label_of_two_lines(stage: Stage, phone: dict[str, Any]) -> None:
    with stage.page_of("bob", **phone) as page:
        page.goto("/account/token/")
        label = page.get_by_text("Make a key for this console alone").bounding_box()
        hint = page.get_by_text("Labelled “Estuary Admin”").bounding_box()
        assert label
        assert hint
        assert label["height"] > 40, "two lines"
        assert label["y"] + label["height"] <= hint["y"]


def test_a_row_on_a_phone_has_its_end_in_one_line(stage: Stage, phone: dict[str, Any]) -> None:
    with stage.page_of("alice", **phone) as page:
        page.goto("/keys/")
        heights = page.locator(".key-end").evaluate_all(
            "all => all.map((it) => it.getBoundingClientRect().height)"
        )
        assert heights
        assert max(heights) < 30


def test_every_choice_is_in_one_line(stage: Stage) -> None:
    with stage.page_of("team", viewport={"width": 1280, "height": 800}) as page:
        plays.rotate_form("nightly")(stage, page)
        heights = page.locator(".pill").evaluate_all("all => all.map((it) => it.offsetHeight)")
        assert len(heights) > 10
        assert len({*heights}) == 1


def test_forced_colours_keep_every_state_visible(open_page: OpenPage, member: Member) -> None:
    page = open_page(forced_colors="active")
    sign_in(page, member)
    chosen = page.locator("#chip-all")
    expect(chosen).to_have_css("outline-style", "solid")
    expect(page.get_by_role("link", name="later")).to_have_css("outline-style", "none")
    page.get_by_role("searchbox").focus()
    expect(page.get_by_role("searchbox")).to_have_css("outline-style", "solid")


def test_forced_colours_tell_the_chosen_snippet_and_week(stage: Stage) -> None:
    with stage.page_of("alice", forced_colors="active", color_scheme="dark") as page:
        page.goto("/keys/")
        week = page.locator(".strip a").first
        expect(week).to_have_css("outline-style", "none")
        week.click()
        expect(page.locator(".strip [aria-current]")).to_have_css("outline-style", "solid")
        plays.created(stage, page)
        tabs = page.locator(".tab")
        expect(tabs.first).to_have_css("outline-style", "solid")
        expect(tabs.last).to_have_css("outline-style", "none")


def test_a_qr_code_stays_dark_on_light_in_forced_colours(stage: Stage) -> None:
    with stage.page_of("alice", forced_colors="active", color_scheme="dark") as page:
        plays.created(stage, page)
        page.locator("summary").filter(has_text="QR").click()
        code = page.locator(".qr-code")
        expect(code).to_have_css("background-color", "rgb(255, 255, 255)")
        expect(code.locator("path").first).to_have_css("fill", "rgb(0, 0, 0)")


def test_a_printed_table_of_the_team_has_exact_ends(stage: Stage) -> None:
    with stage.page_of("carol") as page:
        stage.console.look_at_accounts()
        page.goto("/team/keys/?status=soon")
        end = page.locator(".key-end time").first
        assert end.evaluate("(it) => getComputedStyle(it, '::before').content").startswith('"· "')
        page.emulate_media(media="print")
        printed = end.evaluate("(it) => getComputedStyle(it, '::after').content")
        assert printed == f'"{end.get_attribute("title")}"'
        expect(end).to_have_css("font-size", "0px")


def test_a_printed_page_names_the_member_and_exact_times(
    open_page: OpenPage, member: Member
) -> None:
    page = open_page()
    sign_in(page, member)
    page.emulate_media(media="print")
    expect(page.locator(".brand-host")).to_be_visible()
    expect(page.get_by_text(f"Account of {member.name}")).to_be_visible()
    display = "(it) => getComputedStyle(it).display"
    for part, wanted in (
        ("table", "table"),
        ("thead", "table-header-group"),  # repeated on each page, in a table only
        ("tbody", "table-row-group"),
        ("tbody tr", "table-row"),
    ):
        assert page.locator(f".keys:is({part}), .keys {part}").first.evaluate(display) == wanted
    for part in (
        ".bar-nav",
        ".search",
        ".chips",
        ".list-state a",
        ".row-actions",
        ".pick",
        ".bulk-bar",
    ):
        expect(page.locator(part).first).to_be_hidden()
    printed = "(it) => getComputedStyle(it, '::after').content"
    assert page.locator(".keys time").evaluate(printed).endswith('UTC"')


def test_a_screen_reader_finds_its_way(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    sign_in(page, member)
    for landmark in ("banner", "main", "search"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("navigation", name="Main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")
    expect(page.get_by_role("link", name="Keys", exact=True)).to_have_attribute(
        "aria-current", "page"
    )


def test_the_phone_layout_is_still_a_table(
    open_page: OpenPage, member: Member, phone: dict[str, Any]
) -> None:
    page = open_page(**phone)
    sign_in(page, member)
    table = page.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("columnheader")).to_have_count(3)
    expect(table.get_by_role("rowheader")).to_contain_text("console")
    expect(table.get_by_role("cell")).to_contain_text(["Later · 1", "in 30 days", "Revoke"])
    height = "(it) => it.getBoundingClientRect().height"
    assert page.get_by_role("link", name="later").evaluate(height) == 44, "one line of words"


def test_sorting_and_counts_are_announced(open_page: OpenPage, member: Member) -> None:
    page = open_page()
    page.clock.install()
    sign_in(page, member)
    ends = page.get_by_role("columnheader", name="Ends", exact=True)
    expect(ends).to_have_attribute("aria-sort", "other")
    for order in ("ascending", "descending"):
        page.get_by_role("link", name="Ends").click()
        expect(ends).to_have_attribute("aria-sort", order)
        expect(page.get_by_role("link", name="Ends")).to_be_focused()
    expect(page.locator("#spoken")).to_have_text("1 key")
    page.get_by_role("searchbox").fill("zebra")
    expect(page.locator("#spoken")).to_have_text("No keys found")
    page.clock.fast_forward(6000)
    expect(page.locator("#spoken")).to_be_empty()
