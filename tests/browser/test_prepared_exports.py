"""Preparing an export in a browser: with scripts the page follows it, without them by reloading."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from keys.sandbox import Fault, Sandbox
from tests.browser.conftest import Member, sign_in
from tests.support.console import ROOT, Console
from tests.support.processes import ending_with_parent

pytestmark = pytest.mark.browser

#: Taken by `member`, one for each test.
NAMES = ["ada", "bert", "cleo"]
ADMIN = "admin"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console of its own, because a worker sends notices to every member."""
    with Sandbox(rate_limit=None) as node:
        members: list[dict[str, Any]] = [
            {"name": name, "token": node.add_key(node.add_user(name), label="console")}
            for name in NAMES
        ]
        members.append({"name": ADMIN, "admin": True})
        with Console(tmp_path_factory.mktemp("worked"), node, members) as running:
            yield running


@pytest.fixture(scope="module")
def _unused() -> dict[str, list[str]]:
    return {"member": list(NAMES)}


@pytest.fixture(scope="module")
def worker(console: Console) -> Iterator[None]:
    with console.log.open("ab") as log:
        process = subprocess.Popen(
            ending_with_parent([sys.executable, "manage.py", "worker"]),
            cwd=ROOT,
            env=console.environment,
            stderr=log,
        )
    yield
    process.terminate()
    process.wait()


@pytest.mark.usefixtures("worker")
def test_the_page_follows_the_export_until_it_is_ready(
    open_page: Callable[..., Page], console: Console, member: Member
) -> None:
    console.node.set_fault("export", Fault("delay", seconds=4))
    page = open_page()
    sign_in(page, member)
    page.goto("/exports/")

    page.get_by_role("button", name="Prepare export").click()

    state = page.locator("#export")
    expect(page.get_by_text("Estuary is building the file")).to_be_visible(timeout=30_000)
    expect(state).to_have_attribute("data-state", "ready", timeout=30_000)
    expect(page.get_by_text("The file is complete")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert asked == []  # it asks no more
    for name in ("Download", "NDJSON", "Contents as CSV", "Manifest"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        assert download.value.suggested_filename.startswith(f"estuary-export-{member.name}-")
    page.goto("/exports/")
    expect(page.get_by_role("table", name="Prepared exports")).to_contain_text("Ready")


@pytest.mark.usefixtures("worker")
def test_it_works_without_scripts_on_a_phone(
    open_page: Callable[..., Page], phone: dict[str, Any], console: Console, member: Member
) -> None:
    console.node.set_fault("export", Fault("delay", seconds=2))
    page = open_page(java_script_enabled=False, **phone)
    sign_in(page, member)
    page.goto("/exports/")

    page.get_by_role("button", name="Prepare export").click()

    state = page.locator("#export")
    for _ in range(60):
        if state.get_attribute("data-state") == "ready":
            break
        page.wait_for_timeout(500)
        page.get_by_role("link", name="Reload to see how far it is").click()
    expect(state).to_have_attribute("data-state", "ready")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename.endswith(".json")
    page.get_by_role("button", name="Delete now").click()
    expect(page.get_by_text("Export deleted.")).to_be_visible()


def test_it_is_cancelled_while_it_waits(
    open_page: Callable[..., Page], console: Console, member: Member
) -> None:
    console.node.set_fault("export", Fault("delay", seconds=10))  # the worker may run already
    page = open_page()
    sign_in(page, member)
    page.goto("/exports/")
    page.get_by_role("button", name="Prepare export").click()

    page.get_by_role("button", name="Cancel export").click()

    expect(page.locator("#export")).to_have_attribute("data-state", "cancelled", timeout=30_000)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("has_scripts", [True, False])
def test_the_page_of_a_team_export_shows_its_progress_until_it_is_ready(
    open_page: Callable[..., Page], phone: dict[str, Any], console: Console, *, has_scripts: bool
) -> None:
    console.node.set_fault("export", Fault("delay", seconds=2))
    page = open_page() if has_scripts else open_page(java_script_enabled=False, **phone)
    sign_in(page, Member(ADMIN, console.node.state.users[NAMES[0]], "", is_connected=False))
    page.goto("/exports/")

    page.get_by_role("button", name="Prepare team export").click()

    state = page.locator("#team-export")
    expect(state).to_have_attribute("data-state", "running")
    expect(page.get_by_role("progressbar")).to_have_attribute("max", "3")
    seen: set[str] = set()
    for _ in range(120):
        seen.update(re.findall("[0-9] of 3 members done", state.inner_text()))
        if state.get_attribute("data-state") == "ready":
            break
        page.wait_for_timeout(250)
        if not has_scripts:
            page.get_by_role("link", name="Reload to see how far it is").click()
    assert len(seen) > 1  # it moves
    expect(page.get_by_text("Every member is in the archive.")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download archive").click()
    assert download.value.suggested_filename.startswith("estuary-team-export-")
