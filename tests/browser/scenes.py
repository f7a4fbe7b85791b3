"""Every page in every state worth looking at: for the pictures, and for axe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from keys.sandbox import Fault, Sandbox
from keys.sandbox.seeding import seed_keys, seed_showcase
from tests.browser.console import PASSWORD, Console

#: What a small team's list looks like: label, days to live (None for ever), permission.
TEAM = [
    ("archive import", 9, "upload"),
    ("ci upload", 21, "upload"),
    ("data team notebook", 29, "all"),
    ("disaster recovery", None, "all"),
    ("nightly backup", 88, "upload"),
    ("old laptop", -95, "all"),
    ("partner handover", 2.5, "upload"),
    ("pin checker", 6.2, "all"),
    ("sensor gateway 04", 330, "upload"),
    ("stats dashboard", 175, "all"),
    ("web uploader production", 61, "upload"),
    ("web uploader staging", 60, "upload"),
]


def cast(node: Sandbox) -> list[dict[str, Any]]:
    """The members the scenes are about, with their accounts at the node."""
    contents = {"alice": 1200, "carol": 40}
    names = ["alice", "carol", "empty", "many", "team", "stale", "down", "expired", "long"]
    accounts = {name: node.add_user(name, contents=contents.get(name, 0)) for name in names}
    node.add_user("bob")
    label, own = "console", {name: timedelta(days=200) for name in names} | {"expired": None}
    members: list[dict[str, Any]] = [
        {
            "name": name,
            "admin": name == "carol",
            "token": node.add_key(account, label, lifetime=own[name], is_session=name == "empty"),
        }
        for name, account in accounts.items()
    ]
    for name in ("alice", "stale"):
        seed_showcase(node, accounts[name])
    seed_keys(node, accounts["many"], 10_000, seed=2)
    for name in ("team", "expired"):
        for purpose, days, permission in TEAM:
            lifetime = None if days is None else timedelta(days=days)
            node.add_key(accounts[name], purpose, lifetime, permission=permission)
    for number in range(3):
        node.add_key(accounts["expired"], f"build {number}", timedelta(days=-number - 1))
    node.add_key(accounts["long"], "pneumonoultramicroscopicsilicovolcanoconiosis" * 4)
    return [*members, {"name": "bob"}]


@dataclass(frozen=True)
class Stage:
    console: Console
    browser: Browser

    @property
    def node(self) -> Sandbox:
        return self.console.node

    @contextmanager
    def page_of(self, member: str, **options: Any) -> Iterator[Page]:
        """A fresh profile in which a member, or nobody, is signed in."""
        context: BrowserContext = self.browser.new_context(base_url=self.console.url, **options)
        context.set_default_timeout(10_000)
        page = context.new_page()
        if member:
            page.goto("/accounts/login/")
            page.get_by_label("Username").fill(member)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(lambda url: "login" not in url)
        yield page
        context.close()


Play = Callable[[Stage, Page], None]


@dataclass(frozen=True)
class Scene:
    """One state of one page; `play` leads a signed-in member's page there."""

    name: str
    member: str
    play: Play


def at(path: str) -> Play:
    return lambda _, page: void(page.goto(path))


def void(_: object) -> None:
    """Drop what Playwright returns."""


def fault(endpoint: str, kind: str, path: str) -> Play:
    """A page while Estuary misbehaves; what was known before is known still."""

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
    page.get_by_label("Estuary API key").fill("not a key")
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
    page.get_by_text("Never", exact=True).click()
    page.get_by_text("Everything", exact=True).click()


def created(_: Stage, page: Page) -> None:
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("web uploader")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def created_and_shown(stage: Stage, page: Page) -> None:
    created(stage, page)
    page.get_by_role("button", name="Show", exact=True).click()


def new_row(stage: Stage, page: Page) -> None:
    created(stage, page)
    page.get_by_role("link", name="I have saved it").click()
    expect(page.get_by_text("New", exact=True).first).to_be_visible()


def answer_lost(stage: Stage, page: Page) -> None:
    stage.node.set_fault("create", Fault("reset-after", times=1))
    page.goto("/keys/new/")
    page.get_by_label("Label").fill("lost on the way")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("heading", name="its token was lost")).to_be_visible()


def first_row(path: str, action: str) -> Play:
    def play(_: Stage, page: Page) -> None:
        page.goto(path)
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
    new_row(stage, page)
    page.get_by_role("row").filter(has_text="New").get_by_role("link").first.click()
    page.wait_for_url("**/keys/*/")


def searched(text: str) -> Play:
    return at(f"/keys/?q={text}")


def revoked_expired(stage: Stage, page: Page) -> None:
    stage.node.set_fault("revoke", Fault("500", times=1))
    page.goto("/keys/revoke-expired/")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="revoked")).to_be_visible()
    stage.node.clear_faults()


def menu_open(_: Stage, page: Page) -> None:
    page.goto("/stats/")
    page.locator("summary").click()


def exported(_: Stage, page: Page) -> None:
    page.goto("/exports/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download now").click()
    download.value.path()
    page.goto("/exports/")


SCENES = [
    Scene("sign-in", "", at("/accounts/login/")),
    Scene("sign-in-refused", "", refused_sign_in),
    Scene("connect", "bob", at("/account/token/")),
    Scene("connect-refused", "bob", refused_token),
    Scene("account-unconnected", "bob", at("/account/")),
    Scene("keys-empty", "empty", at("/keys/")),
    Scene("keys-team", "team", at("/keys/")),
    Scene("keys-showcase", "alice", at("/keys/")),
    Scene("keys-sorted", "alice", at("/keys/?sort=-expiry")),
    Scene("keys-expired", "alice", at("/keys/?status=expired")),
    Scene("keys-searched", "alice", searched("upload")),
    Scene("keys-nothing-found", "alice", searched("zebra")),
    Scene("keys-many", "many", at("/keys/?page=3")),
    Scene("keys-long", "long", at("/keys/?status=all")),
    Scene("keys-new-row", "alice", new_row),
    Scene("keys-stale", "stale", fault("list", "502-html", "/keys/")),
    Scene("keys-unreachable", "down", fault("list", "502-html", "/keys/?q=")),
    Scene("revoke-dialog", "team", first_row("/keys/", "revoke-dialog")),
    Scene("create", "alice", at("/keys/new/")),
    Scene("create-never", "alice", never_chosen),
    Scene("create-errors", "alice", form_with_errors),
    Scene("created", "alice", created),
    Scene("created-shown", "alice", created_and_shown),
    Scene("create-lost", "alice", answer_lost),
    Scene("key", "team", first_row("/keys/", "detail")),
    Scene("key-with-history", "alice", audited_key),
    Scene("key-long", "long", first_row("/keys/?sort=-label", "detail")),
    Scene("key-legacy", "alice", first_row("/keys/?status=legacy", "detail")),
    Scene("revoke", "team", first_row("/keys/", "revoke-page")),
    Scene("revoke-own", "alice", first_row("/keys/?q=console", "revoke-page")),
    Scene("revoke-expired", "alice", at("/keys/revoke-expired/")),
    Scene("revoke-expired-done", "expired", revoked_expired),
    Scene("stats", "alice", at("/stats/")),
    Scene("stats-empty", "empty", at("/stats/")),
    Scene("stats-menu", "alice", menu_open),
    Scene("exports", "alice", exported),
    Scene("exports-admin", "carol", at("/exports/")),
    Scene("account", "alice", at("/account/")),
    Scene("replace", "alice", at("/account/token/")),
    Scene("disconnect", "alice", at("/account/token/disconnect/")),
    Scene("password", "alice", at("/accounts/password/change/")),
    Scene("sign-out", "alice", at("/accounts/logout/")),
    Scene("not-found", "alice", at("/keys/nothing-here/")),
]
