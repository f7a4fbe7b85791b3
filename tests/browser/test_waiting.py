"""Waiting is shown after 200 ms, and the latest request wins."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, Page, Route, expect

from keys.sandbox import Fault
from tests.browser.conftest import Member, sign_in
from tests.browser.stage import Stage
from tests.support.console import Console

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
Hold = Callable[[Page, str], list[Route]]

#: The console message of htmx about an aborted request.
GIVEN_UP = "htmx:(afterRequest|sendAbort)"


def watch(page: Page, event: str, is_seen: str) -> None:
    """Measure the milliseconds from an event to the first frame that shows waiting."""
    page.evaluate(f"""window.seen = new Promise((tell) => {{
      document.addEventListener("{event}", () => {{
        const sent = performance.now();
        const look = () => {{
          if ({is_seen}) tell(performance.now() - sent);
          else requestAnimationFrame(look);
        }};
        look();
      }}, {{ once: true, capture: true }});
    }}); null""")


@pytest.fixture
def page(open_page: OpenPage, member: Member) -> Page:
    page = open_page(ignored=GIVEN_UP)
    sign_in(page, member)
    return page


def answered(route: Route) -> None:
    try:
        route.continue_()
    except Error:  # aborted by the page
        return


def test_a_list_that_waits_shows_it_after_200_ms(page: Page, held: Hold) -> None:
    held(page, r"status=active")
    progress = "document.querySelector('.progress')"
    watch(page, "htmx:beforeSend", f"getComputedStyle({progress}).visibility === 'visible'")
    page.get_by_role("link", name="later").click()
    assert 190 <= page.evaluate("window.seen") < 600


def test_a_button_that_waits_shows_it_after_200_ms(page: Page, held: Hold) -> None:
    page.goto("/keys/new/")
    routes = held(page, r"/keys/new/$")
    page.get_by_label("Label").fill("waiting")
    button = "document.querySelector('.form [type=submit]')"
    watch(page, "submit", f"getComputedStyle({button}).color === 'rgba(0, 0, 0, 0)'")
    page.get_by_role("button", name="Create key").click()
    assert 190 <= page.evaluate("window.seen") < 600
    expect(page.get_by_role("button", name="Create key")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Please wait.")).not_to_have_count(0)
    answered(routes[0])
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    page.get_by_role("button", name="Copy", exact=True).first.click()


def test_a_dry_run_does_not_look_like_the_off_boarding_itself(stage: Stage) -> None:
    with stage.page_of("carol") as page:
        page.goto("/team/varied/offboard/")
        page.evaluate("addEventListener('submit', (event) => event.preventDefault()); null")
        page.get_by_role("button", name="Dry run").click()
        expect(page.locator(".is-waiting")).to_have_text("Dry run")
        for name in ("Dry run", "Off-board"):
            button = page.get_by_role("button", name=name)
            expect(button).to_have_attribute("aria-disabled", "true")


def test_a_dialog_link_shows_waiting_and_asks_once(page: Page, held: Hold) -> None:
    routes = held(page, r"/keys/new/$")
    link = page.get_by_role("link", name="New key")
    color = "getComputedStyle(document.getElementById('new-key')).color"
    watch(page, "htmx:beforeSend", f"{color} === 'rgba(0, 0, 0, 0)'")
    link.click()
    link.click()
    assert 190 <= page.evaluate("window.seen") < 600
    answered(routes[0])
    expect(page.get_by_label("Label")).to_be_focused()
    assert len(routes) == 1


def test_a_download_shows_waiting_until_it_starts(console: Console, page: Page) -> None:
    page.goto("/exports/")
    button = page.get_by_role("button", name="Download now")
    for _ in range(2):  # the cookie of one download must not end the other
        console.node.set_fault("export", Fault("delay", seconds=1, times=1))
        with page.expect_download():
            button.click()
            expect(page.get_by_text("Estuary is building the file.")).to_be_visible()
        expect(page.get_by_text("The download has started.").first).to_be_visible()
        expect(page.get_by_text("Estuary is building the file.")).to_be_hidden()
        expect(button).not_to_have_attribute("aria-disabled", "true")


def test_a_finished_export_appears_by_itself(console: Console, page: Page) -> None:
    page.goto("/exports/")
    with page.expect_download():
        page.get_by_role("button", name="Download now").click()
    expect(page.locator("#last-exports")).to_contain_text("Done")
    expect(page.get_by_role("button", name="Download now")).to_be_visible()


#: Playwright asks nothing of a page that waits for a navigation, so the page looks itself.
NOTE = "document.querySelector('[data-gave-up]')"


def test_waiting_for_a_download_ends_when_the_browser_gives_up(
    console: Console, page: Page
) -> None:
    page.goto("/exports/")
    console.node.set_fault("export", Fault("delay", seconds=20, times=1))
    page.evaluate("addEventListener('submit', () => setTimeout(() => window.stop(), 1000)); null")

    page.get_by_role("button", name="Download now").click(no_wait_after=True)

    expect(page.get_by_text("Your browser stopped waiting")).to_be_visible()
    expect(page.get_by_text("or try again.")).to_be_visible()
    expect(page.get_by_text("Estuary is building the file.")).to_be_hidden()
    expect(page.get_by_role("button", name="Download now")).not_to_have_attribute(
        "aria-disabled", "true"
    )


def test_a_form_can_be_sent_again_after_the_browser_stopped_it(stage: Stage, held: Hold) -> None:
    with stage.page_of("carol") as page:
        page.goto("/team/varied/offboard/")
        routes = held(page, r"/offboard/$")
        page.evaluate("addEventListener('submit', () => setTimeout(() => stop(), 600)); null")
        button = page.get_by_role("button", name="Dry run")
        button.click(no_wait_after=True)

        expect(page.locator("#notices")).to_contain_text("What you sent may be done all the same")
        expect(button).not_to_have_attribute("aria-disabled", "true")
        button.click(no_wait_after=True)
        expect(button).not_to_have_attribute("aria-disabled", "true")
        assert len(routes) == 2


def test_waiting_for_a_download_ends_at_a_time_limit(console: Console, page: Page) -> None:
    page.goto("/exports/")
    console.node.set_fault("export", Fault("delay", seconds=4, times=1))
    page.evaluate("document.querySelector('[data-once=download]').dataset.limit = '1'; null")
    page.evaluate(f"window.seen = false; setInterval(() => seen ||= !{NOTE}.hidden, 100); null")

    with page.expect_download():
        page.get_by_role("button", name="Download now").click(no_wait_after=True)

    assert page.evaluate("window.seen")


def test_a_download_does_not_end_the_waiting_of_another(console: Console, page: Page) -> None:
    page.goto("/exports/")
    console.node.set_fault("export", Fault("delay", seconds=3, times=1))
    page.evaluate("document.cookie = 'download=ofanother; Path=/'")
    with page.expect_download():
        page.get_by_role("button", name="Download now").click(no_wait_after=True)
        page.wait_for_timeout(1200)
        expect(page.get_by_text("Estuary is building the file.")).to_be_visible()
    expect(page.get_by_text("The download has started.").first).to_be_visible()


def test_a_slow_answer_never_replaces_a_later_one(
    console: Console, page: Page, member: Member, held: Hold
) -> None:
    for label in ("apple", "apricot", "banana"):
        console.node.add_key(member.account, label)
    page.reload()
    routes = held(page, r"\?q=")
    field = page.get_by_role("searchbox")
    for number, text in enumerate(["a", "ap", "apr"], start=1):
        field.fill(text)
        while len(routes) < number:
            page.wait_for_timeout(20)
    for route in reversed(routes):
        answered(route)
    expect(page.locator("[data-announce]")).to_have_text("1 key")
    page.wait_for_timeout(300)
    expect(page.get_by_role("table")).to_contain_text("apricot")
    expect(page.get_by_role("table")).not_to_contain_text("banana")
    assert page.url.endswith("?q=apr")


def test_a_filter_chosen_while_a_search_is_under_way_wins(page: Page, held: Hold) -> None:
    routes = held(page, r"\?q=con$")
    page.get_by_role("searchbox").fill("con")
    while not routes:
        page.wait_for_timeout(20)
    page.get_by_role("link", name="later").click()
    page.wait_for_url("**/keys/?status=active")
    answered(routes[0])
    page.wait_for_timeout(200)
    assert page.url.endswith("?status=active")


def test_a_slow_estuary_is_announced(console: Console, page: Page) -> None:
    console.node.set_fault("list", Fault("delay", seconds=4.6, times=1))
    page.get_by_role("link", name="Refresh").click()
    slow = page.get_by_text("Estuary is slow to answer. We are still waiting.")
    expect(slow).to_be_visible()
    expect(page.locator(".notice.info use").first).to_have_attribute("href", "#icon-info")
    expect(slow).to_be_hidden()
    expect(page.locator(".list-state")).to_contain_text("just now")


def test_reduced_motion_stops_the_waiting_animation(
    open_page: OpenPage, member: Member, held: Hold
) -> None:
    page = open_page(reduced_motion="reduce")
    sign_in(page, member)
    held(page, r"status=active")
    page.get_by_role("link", name="later").click()
    expect(page.locator(".progress")).to_have_css("visibility", "visible")
    running = (
        "document.getAnimations().filter((it) => it.effect.getComputedTiming().iterations > 1)"
    )
    assert page.evaluate(f"{running}.length") == 0


def has_answered(page: Page, calls: str) -> None:
    page.route(re.compile("/keys/steps/[0-9-]+/$"), lambda route: route.fulfill(body=calls))


def test_a_slow_creation_tells_what_estuary_has_answered(page: Page, held: Hold) -> None:
    page.goto("/keys/new/")
    routes, where = held(page, r"/keys/new/$"), "document.querySelector('.steps').offsetTop"
    page.get_by_label("Label").fill("slow")
    place = page.evaluate(where)
    steps = page.locator(".steps")
    for answers, words in (
        ("", "Asking Estuary…"),
        ("list", "Creating the key…"),
        ("list create", "Estuary has answered with a key. Checking its list…"),
        ("list create list", "Estuary has answered with a key. Checking its list…"),
    ):
        has_answered(page, answers)
        if not routes:
            page.get_by_role("button", name="Create key").click()
        expect(steps).to_have_text(words)
        assert page.evaluate(where) == place
    assert re.search(r"name=\"steps\"\s+\d+-|steps=\d+-", routes[0].request.post_data or "")
    routes[0].continue_()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def test_steps_that_cannot_be_asked_for_claim_nothing(
    open_page: OpenPage, member: Member, held: Hold
) -> None:
    page = open_page(ignored="502|ERR_FAILED|htmx:")
    sign_in(page, member)
    page.goto("/keys/new/")
    routes = held(page, r"/keys/new/$")
    page.route(re.compile("/keys/steps/"), lambda route: route.fulfill(status=502, body="list"))
    page.get_by_label("Label").fill("slow")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator(".steps")).to_have_text("Asking Estuary…")
    page.wait_for_timeout(1200)
    expect(page.locator(".steps")).to_have_text("Asking Estuary…")
    routes[0].abort()
    expect(page.locator(".steps")).to_be_empty()
