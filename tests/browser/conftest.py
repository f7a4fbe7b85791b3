"""A real Chromium in front of the console as it runs in production."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from tests.browser.stage import Stage, set_stage
from tests.support.console import PASSWORD, Console


@dataclass
class Member:
    name: str
    account: Account
    token: str
    is_connected: bool = True


@pytest.fixture(scope="session")
def _unused(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    """Names of members: one for each test, so that tests do not disturb each other.

    Enough for all tests of the run, because one process may be given nearly all of them.
    """
    return {
        kind: [f"{kind}-{number}" for number, _ in enumerate(_tests_with(kind, request.session))]
        for kind in ("newcomer", "member")
    }


def _tests_with(fixture: str, session: pytest.Session) -> list[pytest.Item]:
    return [test for test in session.items if fixture in getattr(test, "fixturenames", ())]


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory, _unused: dict[str, list[str]]
) -> Iterator[Console]:
    with Sandbox(rate_limit=None) as node:
        members: list[dict[str, Any]] = [{"name": name} for name in _unused["newcomer"]]
        for name in _unused["member"]:
            token = node.add_key(node.add_user(name), label="console")
            members.append({"name": name, "token": token})
        with Console(tmp_path_factory.mktemp("console"), node, members) as running:
            yield running


@pytest.fixture(scope="session")
def _stage(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(chromium, tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    yield _stage
    _stage.node.clear_faults()


@pytest.fixture
def phone() -> dict[str, Any]:
    """Options for a page on a phone."""
    return {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def held() -> Callable[[Page, str], list[Route]]:
    """Hold the requests to an address until the test lets them go."""

    def hold(page: Page, pattern: str) -> list[Route]:
        routes: list[Route] = []
        page.route(re.compile(pattern), lambda route: routes.append(route))
        return routes

    return hold


@pytest.fixture(autouse=True)
def _node_behaves_again(console: Console) -> Iterator[None]:
    yield
    console.node.clear_faults()


@pytest.fixture
def newcomer(console: Console, _unused: dict[str, list[str]]) -> Member:
    """A member who has an Estuary account but has not connected it."""
    name = _unused["newcomer"].pop()
    account = console.node.add_user(name)
    token = console.node.add_key(account, label="console")
    return Member(name, account, token, is_connected=False)


@pytest.fixture
def member(console: Console, _unused: dict[str, list[str]]) -> Member:
    """A member who is connected."""
    account = console.node.state.users[_unused["member"].pop()]
    return Member(account.name, account, next(iter(account.keys)))


@pytest.fixture
def open_page(chromium: Browser, console: Console) -> Iterator[Callable[..., Page]]:
    """Open pages in a fresh profile; any error on the browser console fails the test."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_one(*, ignored: str = "", clipboard: bool = True, **options: Any) -> Page:
        def note_error(said: ConsoleMessage) -> None:
            if said.type == "error" and not (ignored and re.search(ignored, said.text)):
                complaints.append(said.text)

        context = chromium.new_context(base_url=console.url, **options)
        if clipboard:
            context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", note_error)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def settled(page: Page) -> None:
    """Wait until htmx has processed new links and forms (20 ms)."""
    expect(page.locator(".htmx-added")).to_have_count(0)


def sign_in(page: Page, member: Member) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(member.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/keys/" if member.is_connected else "**/account/token/")
