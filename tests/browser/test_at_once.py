"""Pages from the kept list: painted before Estuary answers, then brought up to date in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.browser.conftest import Member, sign_in
from tests.support.console import Console

pytestmark = pytest.mark.browser

NAME = "ada"

Hold = Callable[[Page, str], list[Route]]

#: Notes when the first row, or the first figure, was painted.
NOTE_PAINT = """
const look = () => document.querySelector("tbody tr, .figure-main")
  ? requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }))
  : requestAnimationFrame(look);
look();
"""
CHECK_ANSWERED = """() => performance.getEntriesByType("resource")
  .find((it) => it.name.includes("seen="))?.responseStart"""


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that waits for a slow node, with one member of a hundred keys."""
    with Sandbox(rate_limit=None) as node:
        account = node.add_user(NAME, contents=3)
        own = node.add_key(account, label="console")
        for number in range(100):
            node.add_key(account, label=f"robot {number:02}")
        members = [{"name": NAME, "token": own}]
        settings = {"ESTUARY_TIMEOUT": "30"}
        with Console(tmp_path_factory.mktemp("patient"), node, members, environment=settings) as it:
            yield it


@pytest.fixture
def account(patient: Console) -> Iterator[Account]:
    yield patient.node.state.users[NAME]
    patient.node.clear_faults()


@pytest.fixture
def ada(account: Account) -> Member:
    return Member(NAME, account, next(iter(account.keys)))


@pytest.fixture
def open_patient(patient: Console, chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_one(member: Member, *, has_scripts: bool = True, path: str = "/keys/") -> Page:
        """A page of a member who has visited it before."""
        context = chromium.new_context(
            base_url=patient.url,
            java_script_enabled=has_scripts,
            viewport={"width": 1280, "height": 700},
        )
        contexts.append(context)
        page = context.new_page()
        sign_in(page, member)
        page.goto(path, wait_until="networkidle")
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("path", "endpoint", "seconds"),
    [("/keys/", "list", 1), ("/keys/", "list", 5), ("/stats/", "stats", 1)],
)
def test_a_page_is_painted_before_a_slow_node_has_answered(
    patient: Console,
    open_patient: Callable[..., Page],
    ada: Member,
    path: str,
    endpoint: str,
    seconds: int,
) -> None:
    page = open_patient(ada, path=path)
    patient.node.set_fault(endpoint, Fault("delay", seconds=seconds))
    page.add_init_script(NOTE_PAINT)

    page.goto(path)
    expect(page.locator("tbody tr, .figure-main").first).to_be_visible()
    expect(page.get_by_text("checking…")).to_be_visible()

    expect(page.get_by_text("checking…")).to_have_count(0, timeout=20_000)
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    assert page.evaluate("window.painted") < page.evaluate(CHECK_ANSWERED)


@pytest.mark.parametrize("path", ["/keys/", "/stats/", "/keys/{hash}/"])
def test_without_scripts_an_old_page_is_fetched_before_it_stays(
    patient: Console, open_patient: Callable[..., Page], ada: Member, path: str
) -> None:
    path = path.format(hash=hash_of(ada.token))
    page = open_patient(ada, has_scripts=False, path=path)
    patient.age_lists()
    patient.node.set_fault("any", Fault("delay", seconds=1, times=1))

    page.goto(path)
    page.wait_for_url(f"**{path}?fresh=1")

    expect(page.get_by_text("read just now")).to_be_visible()
    expect(page.get_by_text("checking…")).to_be_hidden()
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()


def test_focus_scroll_and_selection_stay_when_the_list_changes(
    patient: Console, open_patient: Callable[..., Page], ada: Member, held: Hold
) -> None:
    page = open_patient(ada)
    first = patient.node.add_key(ada.account, "ends first", timedelta(hours=1))
    routes = held(page, "seen=")
    page.goto("/keys/")
    row = page.get_by_role("row").filter(has_text="robot 30")
    row.get_by_role("link").first.focus()
    row.scroll_into_view_if_needed()
    row.evaluate("it => getSelection().selectAllChildren(it.querySelector('.fingerprint'))")
    top = "it => Math.round(it.getBoundingClientRect().top / 2)"  # layout may round otherwise
    before = row.evaluate(top)
    selected = page.evaluate("String(getSelection())")
    page.wait_for_function("document.querySelector('#freshness.htmx-request')")

    routes[0].continue_()

    expect(page.get_by_role("link", name="ends first", exact=True)).to_have_count(1)
    expect(page.get_by_text("checking…")).to_have_count(0)
    expect(row.get_by_role("link").first).to_be_focused()
    assert row.evaluate(top) == before
    assert page.evaluate("String(getSelection())") == selected
    assert page.evaluate("scrollY") > 0
    patient.node.remove_key(first)


def test_an_unchanged_list_stays_untouched(
    open_patient: Callable[..., Page], ada: Member, held: Hold
) -> None:
    page = open_patient(ada)
    routes = held(page, "seen=")
    page.goto("/keys/")
    page.evaluate("""
      window.changes = 0;
      new MutationObserver((all) => { changes += all.length; })
        .observe(document.querySelector("tbody"), { subtree: true, childList: true });
    """)
    page.wait_for_function("document.querySelector('#freshness.htmx-request')")

    routes[0].continue_()

    expect(page.get_by_text("checking…")).to_have_count(0)
    assert page.evaluate("changes") == 0


def test_a_node_that_is_away_ends_the_mark_with_the_reason(
    patient: Console, open_patient: Callable[..., Page], ada: Member
) -> None:
    page = open_patient(ada)
    patient.node.set_fault("any", Fault("502-html"))

    page.goto("/keys/")

    expect(page.get_by_role("alert")).to_contain_text("Nothing can be changed until it answers.")
    expect(page.get_by_text("checking…")).to_have_count(0)
    expect(page.get_by_role("table")).to_contain_text("robot 05")
    expect(page.get_by_role("link", name="New key")).to_have_count(0)
    expect(page.get_by_role("link", name="Revoke")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "endpoint", "part"),
    [
        ("/keys/", "list", "tbody .key-label"),
        ("/stats/", "stats", ".figure"),
        ("/keys/{hash}/", "list", ".facts"),
    ],
)
def test_nothing_moves_when_a_check_brings_a_notice(
    patient: Console,
    open_patient: Callable[..., Page],
    ada: Member,
    held: Hold,
    path: str,
    endpoint: str,
    part: str,
) -> None:
    path = path.format(hash=hash_of(ada.token))
    page = open_patient(ada, path=path)
    patient.age_lists()
    routes = held(page, "seen=")
    page.goto(path)
    page.wait_for_function("() => document.querySelector('#freshness.htmx-request')")
    before = page.locator(part).first.bounding_box()
    patient.node.set_fault(endpoint, Fault("502-html"))

    routes[0].continue_()

    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("You see what Estuary last told us")
    assert page.locator(part).first.bounding_box() == before
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)
    expect(page.get_by_text("read 10 minutes ago")).to_be_visible()


def test_a_refused_token_takes_the_list_away(
    patient: Console, open_patient: Callable[..., Page], ada: Member
) -> None:
    page = open_patient(ada)
    patient.node.set_fault("list", Fault("401-expired"))

    page.goto("/keys/")

    expect(page.get_by_role("heading", name="Estuary refuses your key")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)


def test_a_filter_chosen_while_the_list_is_checked_wins(
    patient: Console, open_patient: Callable[..., Page], ada: Member, held: Hold
) -> None:
    page = open_patient(ada)
    extra = patient.node.add_key(ada.account, label="aaa second")
    routes = held(page, "seen=[^&]*$")
    page.goto("/keys/")
    page.wait_for_function("document.querySelector('#freshness.htmx-request')")
    page.get_by_role("searchbox").fill("robot 07")
    page.wait_for_url("**/keys/?q=robot+07")
    expect(page.locator("[data-announce]")).to_contain_text("1 key")

    routes[0].continue_()
    page.wait_for_timeout(300)

    expect(page.get_by_role("table")).to_contain_text("robot 07")
    expect(page.get_by_role("table")).not_to_contain_text("aaa second")
    patient.node.remove_key(extra)


def test_a_note_that_is_being_written_survives_the_check(
    patient: Console, open_patient: Callable[..., Page], ada: Member, held: Hold
) -> None:
    path = f"/keys/{hash_of(ada.token)}/"
    page = open_patient(ada, path=path)
    patient.age_lists()
    routes = held(page, "seen=")
    page.goto(path)
    page.get_by_role("link", name="Add a note").click()
    expect(page.get_by_label("Display name")).to_be_focused()
    page.get_by_label("Purpose").fill("half a sentence")
    patient.node.set_fault("list", Fault("500"))

    routes[0].continue_()

    expect(page.get_by_role("alert")).to_contain_text("Nothing can be changed until it answers.")
    expect(page.get_by_label("Purpose")).to_have_value("half a sentence")
