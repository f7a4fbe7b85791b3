"""Bring a page into a state, for the scenes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Page, expect

from estuary_admin.security.password_forms import LinkPasswordForm
from keys.exports.rows import row_of
from keys.models import ExportComparison, PreparedExport, TeamExport, TeamExportPart
from keys.sandbox import Fault
from tests.browser.stage import Stage

Play = Callable[[Stage, Page], None]


def at(path: str) -> Play:
    return lambda _, page: void(page.goto(path))


def void(_: object) -> None:
    """Ignore what Playwright returns."""


def fault(endpoint: str, kind: str, path: str) -> Play:
    """A page while Estuary fails, with the last known data."""

    def play(stage: Stage, page: Page) -> None:
        stage.node.set_fault(endpoint, Fault(kind))
        page.goto(path)
        stage.node.clear_faults()

    return play


def refused_sign_in(_: Stage, page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def refused_token(_: Stage, page: Page) -> None:
    page.goto("/account/token/")
    page.get_by_label("Token of your Estuary key").fill("not a key")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_be_visible()


def form_with_errors(_: Stage, page: Page) -> None:
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("x" * 40)
    page.get_by_text("Custom", exact=True).click()
    page.get_by_label("Custom lifetime").fill("soon")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("alert")).to_be_visible()


def never_chosen(_: Stage, page: Page) -> None:
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("disaster recovery")
    page.get_by_text("No expiry", exact=True).click()
    page.get_by_text("Full access", exact=True).click()


def created(_: Stage, page: Page) -> None:
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("web uploader")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def saved(page: Page) -> None:
    """Leave the page without a confirmation."""
    page.evaluate("document.querySelector('[data-uncopied]').removeAttribute('data-uncopied')")


def created_and_shown(stage: Stage, page: Page) -> None:
    created(stage, page)
    page.get_by_role("button", name="Show", exact=True).click()


def unreachable(stage: Stage, page: Page) -> None:
    """Estuary fails, and no last known data is valid."""
    created(stage, page)
    saved(page)
    stage.node.set_fault("any", Fault("502-html"))
    page.goto("/keys/")
    expect(page.get_by_role("heading", name="Estuary")).to_be_visible()
    stage.node.clear_faults()


def back_at_the_list(told: str, *faults: Fault) -> Play:
    def play(stage: Stage, page: Page) -> None:
        for one in faults:
            stage.node.set_fault("create", one)
        created(stage, page)
        page.get_by_role("link", name="I have saved it").click()
        expect(page.locator("#key-list, #notices").get_by_text(told).first).to_be_visible()

    return play


def found(text: str) -> Play:
    def play(_: Stage, page: Page) -> None:
        page.goto("/keys/find/")
        page.get_by_label("Token, fingerprint").fill(text)
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.get_by_role("alert").or_(page.locator(".finding")).first).to_be_visible()

    return play


def tokens_of(stage: Stage, name: str, count: int) -> str:
    return "\n".join(list(stage.node.state.users[name].keys)[:count])


def found_own_and_others(stage: Stage, page: Page) -> None:
    """A text with two tokens of Alice's, one of another member, and an unknown one."""
    unknown = "EST11111111-1111-4111-8111-111111111111ARY"
    found(f"{tokens_of(stage, 'alice', 2)}\n{tokens_of(stage, 'team', 1)}\n{unknown}")(stage, page)


def asked_about_found(stage: Stage, page: Page) -> None:
    found(tokens_of(stage, "alice", 1))(stage, page)
    page.get_by_role("button", name="Ask Estuary whether it works").click()
    expect(page.get_by_text("Estuary accepts it")).to_be_visible()


def leaked_key(stage: Stage, page: Page) -> None:
    found(tokens_of(stage, "alice", 1))(stage, page)
    page.goto(str(page.get_by_role("link", name="Revoke now").get_attribute("href")))


def many_created(labels: str, told: Literal["heading", "alert"] = "heading") -> Play:
    def play(_: Stage, page: Page) -> None:
        page.goto("/keys/new/many/")
        page.get_by_label("Labels, one a line").fill(labels)
        page.get_by_role("button", name="Create keys").click()
        expect(page.locator("#created-title, [role=alert]").first).to_be_visible()
        expect(page.get_by_role(told).first).to_be_visible()

    return play


def bulk_preview(action: str, query: str) -> Play:
    def play(_: Stage, page: Page) -> None:
        page.goto(f"/keys/?q={query}&fresh=1")  # nothing reloads itself
        if (every := page.locator("[name=all_found]")).count():
            every.check()
        for box in page.locator("[name=key]").all():
            box.check()
        page.get_by_label("With the selected keys").select_option(action)
        page.get_by_role("button", name="Preview").click()
        page.wait_for_url("**/keys/bulk/")
        expect(page.locator("#bulk-change")).to_be_visible()

    return play


def bulk_started(label: str) -> Play:
    def play(stage: Stage, page: Page) -> None:
        stage.node.add_key(stage.node.state.users["alice"], label)  # an earlier scene ended others
        bulk_preview("revoke", label)(stage, page)
        page.get_by_role("button", name=re.compile("^Revoke")).click()
        expect(page.locator("#bulk-title")).to_be_visible()

    return play


def answer_lost(stage: Stage, page: Page) -> None:
    stage.node.set_fault("create", Fault("reset-after", times=1))
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("lost on the way")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("heading", name="its token was lost")).to_be_visible()


def first_row(path: str, action: str) -> Play:
    def play(_: Stage, page: Page) -> None:
        page.goto(f"{path}{'&' if '?' in path else '?'}fresh=1")  # nothing reloads itself
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="Revoke"))
        if action == "revoke-page":
            page.goto(str(row.first.get_by_role("link", name="Revoke").get_attribute("href")))
        elif action == "revoke-dialog":
            row.first.get_by_role("link", name="Revoke").click()
            expect(page.get_by_role("dialog")).to_be_visible()
        else:
            row.first.get_by_role("link").first.click()
            page.wait_for_url("**/keys/*/")

    return play


def audited_key(stage: Stage, page: Page) -> None:
    """The page of a key that was created here, so that it has a history."""
    back_at_the_list("New")(stage, page)
    page.get_by_role("row").filter(has_text="New").get_by_role("link").first.click()
    page.wait_for_url("**/keys/*/")


def rotate_form(label: str) -> Play:
    """The page that rotates the first key that a search for the label finds."""

    def play(stage: Stage, page: Page) -> None:
        first_row(f"/keys/?q={label}", "detail")(stage, page)
        page.get_by_role("link", name=re.compile("Rotate key|Create another")).click()
        expect(
            page.get_by_role("button", name=re.compile("Rotate key|Create another"))
        ).to_be_visible()

    return play


def rotated(stage: Stage, page: Page) -> None:
    """A key made now is rotated, so that no other scene's key changes."""
    audited_key(stage, page)
    page.get_by_role("link", name="Rotate key").click()
    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def rotation(stage: Stage, page: Page) -> None:
    rotated(stage, page)
    page.get_by_role("link", name="Change this").click()
    expect(page.get_by_role("button", name="End the old key now")).to_be_visible()


def rotated_key(stage: Stage, page: Page) -> None:
    rotation(stage, page)
    page.goto(page.url.replace("rotation/", ""))
    expect(page.get_by_role("heading", name="Rotation")).to_be_visible()


def note_form(stage: Stage, page: Page) -> None:
    """The note of a key: in place with scripts, on a page of its own without."""
    first_row("/keys/", "detail")(stage, page)
    page.get_by_role("link", name=re.compile("(Add a|Edit) note")).click()
    expect(page.get_by_label("Purpose")).to_be_visible()


def note_saved(stage: Stage, page: Page) -> None:
    note_form(stage, page)
    page.get_by_label("Purpose").fill("Copies of the wiki, every night")
    page.get_by_label("Contact").fill("ops@example.com")
    page.get_by_role("textbox", name="Note").fill("First line\nSecond line")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_text("Copies of the wiki, every night")).to_be_visible()


def noted_list(stage: Stage, page: Page) -> None:
    note_saved(stage, page)
    page.goto("/keys/?q=copies")
    expect(page.get_by_role("table")).to_contain_text("Copies of the wiki, every night")


def reminders_with_all(_: Stage, page: Page) -> None:
    """A webhook, a feed and a notice."""
    page.goto("/account/reminders/")
    # By its name: once saved, the page has a second field whose label holds the word.
    page.locator("[name=webhook_url]").fill("https://example.com/hook")
    page.get_by_role("button", name="Save reminders").click()
    page.wait_for_load_state()
    if page.get_by_role("button", name="Create feed").count():  # else an earlier scene made it
        page.get_by_role("button", name="Create feed").click()
        page.wait_for_load_state()
    page.get_by_role("button", name="Send me a test").click()
    page.wait_for_load_state()
    expect(page.get_by_text("Test of your reminders").first).to_be_visible()


def revoked_expired(stage: Stage, page: Page) -> None:
    stage.node.set_fault("revoke", Fault("500", times=1))
    page.goto("/keys/revoke-expired/")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="revoked")).to_be_visible()
    stage.node.clear_faults()


def menu_open(_: Stage, page: Page) -> None:
    page.goto("/stats/")
    page.locator("header summary").click()


def exported(_: Stage, page: Page) -> None:
    page.goto("/exports/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download now").click()
    download.value.path()
    page.goto("/exports/")


def rendered(template: str, **context: Any) -> Play:
    """A page that only a fault or another sign-in shows, rendered here."""

    def play(stage: Stage, page: Page) -> None:
        request = RequestFactory().get("/", headers={"host": "localhost"})
        html = render_to_string(template, context, request)
        address = f"{stage.console.url}/rendered/"
        page.route(address, lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto(address)

    return play


def form_out_of_date(_: Stage, page: Page) -> None:
    page.goto("/accounts/login/")
    page.context.clear_cookies()
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("whatever")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="out of date")).to_be_visible()


def held(after: str) -> Play:
    """The list while a filter waits for Estuary."""

    def play(_: Stage, page: Page) -> None:
        page.goto("/keys/")
        page.route("**/keys/?status=active", lambda _: None, times=1)
        page.get_by_role("link", name="later").click()
        expect(page.locator(after)).to_be_visible()

    return play


def no_connection(_: Stage, page: Page) -> None:
    page.goto("/keys/")
    page.route("**/keys/?status=active", lambda route: route.abort(), times=1)
    page.get_by_role("link", name="later").click()
    expect(page.get_by_text("This console cannot be reached")).to_be_visible()


def session_over(_: Stage, page: Page) -> None:
    page.goto("/keys/")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("link", name="later").click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    page.context.add_cookies(cookies)  # type: ignore[arg-type]


def create_dialog(_: Stage, page: Page) -> None:
    page.goto("/keys/")
    page.get_by_role("link", name="New key").click()
    expect(page.get_by_role("dialog").get_by_label("Label")).to_be_focused()


def dialog_with_errors(stage: Stage, page: Page) -> None:
    create_dialog(stage, page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("x")
    dialog.get_by_text("Custom", exact=True).click()
    dialog.get_by_label("Custom lifetime").fill("soon")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_role("alert")).to_be_visible()


def created_dialog(stage: Stage, page: Page) -> None:
    create_dialog(stage, page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("from a dialog")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_label("Token", exact=True)).to_be_visible()


def uncopied_dialog(stage: Stage, page: Page) -> None:
    created_dialog(stage, page)
    page.keyboard.press("Escape")
    expect(page.get_by_text("You have not copied the token")).to_be_visible()


def shortcuts_dialog(_: Stage, page: Page) -> None:
    page.goto("/stats/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def export_running(stage: Stage, page: Page) -> None:
    """The page while a download runs."""
    stage.node.set_fault("export", Fault("delay", seconds=15, times=1))
    other = page.context.new_page()
    other.goto("/exports/")
    other.get_by_role("button", name="Download now").click(no_wait_after=True)
    page.wait_for_timeout(1000)
    page.goto("/exports/")
    expect(page.get_by_text("An export of this account is running.")).to_be_visible()


def synced(path: str) -> Play:
    """A page of the team, after a worker has looked at all accounts."""

    def play(stage: Stage, page: Page) -> None:
        stage.console.look_at_accounts()
        page.goto(path)

    return play


def view_saved(stage: Stage, page: Page) -> None:
    stage.console.look_at_accounts()
    page.goto("/team/keys/")
    page.get_by_label("Status").select_option("No expiry")
    page.get_by_role("button", name="Show").click()
    page.get_by_label("Keep this filter as a view").fill("Endless keys")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("link", name="Endless keys")).to_be_visible()


def export_queued(_: Stage, page: Page) -> None:
    """No worker runs on the stage."""
    page.goto("/exports/")
    page.get_by_role("button", name="Prepare export").click()
    expect(page.get_by_role("button", name="Cancel export")).to_be_visible()


def export_ready(stage: Stage, page: Page) -> None:
    day = datetime(2026, 11, 28, 10, tzinfo=UTC)
    row = PreparedExport(
        member=User(username="alice"),
        state="ready",
        node="api.estuary.tech",
        created_at=day,
        ended_at=day,
        expires_at=datetime.now(UTC) + timedelta(days=7),
        size=1_300_000_000,
        sha256="0123456789abcdef" * 4,
        content_count=65_535,
        deal_count=410_000,
        document_date="2026-11-28T10:00:00.123456789Z",
        document_version="v0.0.1",
    )
    rendered("keys/export.html", row=row_of(row))(stage, page)


def revoke_for_a_member(stage: Stage, page: Page) -> None:
    stage.console.look_at_accounts()
    page.goto("/team/varied/")
    page.get_by_role("link", name="Revoke").first.click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_label("Reason")).to_be_visible()


def ask_a_member(stage: Stage, page: Page) -> None:
    """With a request under way: each look shows the form below it."""
    stage.console.look_at_accounts()
    page.goto("/team/varied/")
    if not page.get_by_role("link", name="Change request").count():
        page.get_by_role("link", name="Ask for rotation").last.click()  # it ends last
        page.get_by_label("Rotate by").fill(f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}")
        page.get_by_label("Reason").fill("It was in a log.")
        page.get_by_role("button", name="Ask for rotation").click()
    page.get_by_role("link", name="Change request").first.click()
    expect(page.get_by_role("button", name="Withdraw the request")).to_be_visible()


def team_export(stage: Stage, page: Page) -> None:
    day = datetime(2026, 11, 28, 10, tzinfo=UTC)
    row = TeamExport(
        requested_by_name="carol",
        state="ready",
        node="api.estuary.tech",
        created_at=day,
        ended_at=day,
        expires_at=day + timedelta(days=7),
    )
    sentence = "The key of this account is no longer connected. Connect it again."
    parts = [
        TeamExportPart(
            member_name="alice",
            state="ready",
            export=PreparedExport(state="ready", size=1_300_000_000),
        ),
        TeamExportPart(member_name="bob", state="failed", sentence=sentence),
    ]
    rendered(
        "keys/team_export.html",
        row=row,
        parts=parts,
        counts={"ready": 1, "failed": 1},
        in_archive=1,
        done=2,
        size=1_300_000_000,
    )(stage, page)


def exports_compared(stage: Stage, page: Page) -> None:
    day = datetime(2026, 11, 28, 10, tzinfo=UTC)
    counts = {"appeared": 1200, "vanished": 3, "changed": 410}
    rendered(
        "keys/export_compare.html",
        old=PreparedExport(created_at=day - timedelta(days=7)),
        new=PreparedExport(created_at=day),
        row=ExportComparison(state="done", counts={"content": counts, "deal": counts}),
        here="#",
    )(stage, page)


def dry_run(stage: Stage, page: Page) -> None:
    stage.console.look_at_accounts()
    page.goto("/team/varied/offboard/")
    page.get_by_role("group", name="Keep these keys").get_by_role("checkbox").first.check()
    page.get_by_label("Hand kept keys over to").fill("carol")
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("Dry run: nothing was changed.")).to_be_visible()


def off_boarded(stage: Stage, page: Page) -> None:
    """Each look has its own page, but a member leaves once."""
    page.goto("/team/leaver/offboard/")
    if page.get_by_role("button", name="Off-board").is_visible():
        page.get_by_label("Reason").fill("Left the company")
        page.get_by_label("The member's name").fill("leaver")
        page.get_by_role("button", name="Off-board").click()
        stage.console.off_board()
        page.reload()
    expect(page.get_by_text("Download the report")).to_be_visible()


def link_made(_: Stage, page: Page) -> None:
    page.goto("/team/varied/link/")
    page.get_by_role("button", name="Create link").click()
    expect(page.get_by_text("It is not shown again.")).to_be_visible()


def link_opened(stage: Stage, page: Page) -> None:
    member = User(username="varied")
    form = LinkPasswordForm(member=member)
    expires_at = datetime(2027, 1, 1, tzinfo=UTC)
    template = "account/password_link.html"
    rendered(template, form=form, member=member, expires_at=expires_at)(stage, page)
