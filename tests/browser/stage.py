"""A console with members in every situation that a page must handle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Route

from keys.sandbox import Sandbox
from keys.sandbox.seeding import seed_keys, seed_showcase
from tests.support.console import PASSWORD, Console

#: The list of a small team: label, lifetime in days (None: no expiry), permission.
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
    """The members of the scenes, with their accounts at the node."""
    contents = {"alice": 1200, "carol": 40}
    names = ["alice", "carol", "empty", "many", "team", "stale", "expired", "long", "busy"]
    names += ["down", "keeper", "varied", "leaver"]
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
    for name in ("alice", "stale", "varied"):
        seed_showcase(node, accounts[name])
    seed_keys(node, accounts["many"], 10_000, seed=2)
    for name in ("team", "expired", "varied"):
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
    _signed_in: dict[str, Any] = field(default_factory=dict)

    @property
    def node(self) -> Sandbox:
        return self.console.node

    @contextmanager
    def page_of(self, member: str, **options: Any) -> Iterator[Page]:
        """A page in a fresh profile, signed in as a member or signed out."""
        state = self._session_of(member) if member else None
        context = self.browser.new_context(
            base_url=self.console.url, storage_state=state, **options
        )
        context.set_default_timeout(20_000)
        yield context.new_page()
        context.close()

    @contextmanager
    def examined_page_of(self, member: str, *, has_scripts: bool, **options: Any) -> Iterator[Page]:
        """The same for axe, which needs scripts: those of the page are blocked."""
        with self.page_of(member, **options) as page:
            if not has_scripts:
                page.route("**/*.js", lambda route: route.abort())
                page.route("**/*.css", _as_if_without_scripts)
            yield page

    def _session_of(self, member: str) -> Any:
        """Sign in once for each member: hashing a password is slow by design."""
        if member not in self._signed_in:
            context: BrowserContext = self.browser.new_context(base_url=self.console.url)
            page = context.new_page()
            page.goto("/accounts/login/")
            page.get_by_label("Username").fill(member)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(lambda url: "login" not in url)
            self._signed_in[member] = context.storage_state()
            context.close()
        return self._signed_in[member]


@contextmanager
def set_stage(browser: Browser, data_dir: Path) -> Iterator[Stage]:
    """A node, a console and its members; no page asks for a fresh proof."""
    settings = {"SUDO_MINUTES": "0"}
    with (
        Sandbox(rate_limit=None) as node,
        Console(data_dir, node, cast(node), environment=settings) as console,
    ):
        yield Stage(console, browser)


def _as_if_without_scripts(route: Route) -> None:
    style = route.fetch().text()
    style = style.replace("(scripting: none)", "all").replace("(scripting: enabled)", "not all")
    route.fulfill(body=style, content_type="text/css")
