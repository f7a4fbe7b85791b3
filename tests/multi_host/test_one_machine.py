"""One machine with SQLite: many members at once, backup and restore."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.multi_host.team import seat
from tests.support.console import ROOT, Console
from tests.support.visitor import Visitor

MEMBERS = [f"member-{number}" for number in range(12)]
KEYS_EACH = 4
SETTINGS = {
    "WEB_CONCURRENCY": "2",
    "WEB_THREADS": "16",
    "ESTUARY_TIMEOUT": "30",
    "TRUSTED_PROXIES": "127.0.0.1",
}


@pytest.fixture
def node() -> Iterator[Sandbox]:
    with Sandbox(rate_limit=None) as node:
        yield node


@pytest.fixture
def console(node: Sandbox, tmp_path: Path) -> Iterator[Console]:
    seats = [seat(node, name, 3) for name in MEMBERS]
    with Console(tmp_path, node, seats, environment=SETTINGS) as running:
        yield running


def working_day(console: Console, name: str, number: int) -> list[int]:
    """Sign in, make keys, read, revoke one, and leave; returns the status of each answer."""
    visitor, statuses = Visitor(f"203.0.113.{number}"), []
    visitor.sign_in(console.url, name)
    for turn in range(KEYS_EACH):
        key = {"label": f"{name} {turn}", "lifetime": "7d", "permission": "upload"}
        statuses.append(visitor.submit(f"{console.url}/keys/new/", **key).status)
        statuses.append(visitor.get(f"{console.url}/keys/?q={turn}").status)
        statuses.append(visitor.submit(f"{console.url}/account/", theme="dark").status)
    form = visitor.get(f"{console.url}/exports/").hidden
    statuses.append(visitor.post(f"{console.url}/exports/download/", form).status)
    statuses.append(visitor.submit(f"{console.url}/accounts/logout/").status)
    return statuses


def manage(console: Console, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=console.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_many_members_write_at_once_while_a_backup_is_made(
    console: Console, node: Sandbox, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite3"
    with ThreadPoolExecutor(len(MEMBERS)) as pool:
        days = [pool.submit(working_day, console, name, n) for n, name in enumerate(MEMBERS)]
        copied = manage(console, "backup", copy)
        statuses = [status for day in days for status in day.result()]

    assert copied.returncode == 0, copied.stderr
    assert set(statuses) == {200}
    made = sorted(key.label for key in node.state.keys.values() if key.label.startswith("member-"))
    assert made == sorted(f"{name} {turn}" for name in MEMBERS for turn in range(KEYS_EACH))
    log = console.log.read_text()
    assert "locked" not in log
    assert " ERROR " not in log


def test_a_restored_console_has_its_members_and_stored_tokens(
    console: Console, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite3"
    assert manage(console, "backup", copy).returncode == 0
    before = Visitor()
    before.sign_in(console.url, MEMBERS[0])
    before.submit(f"{console.url}/account/token/disconnect/")
    refused = manage(console, "restore", copy)
    assert (refused.returncode, "Stop it first" in refused.stderr) == (1, True)

    console.stop()
    put_back = manage(console, "restore", copy)
    assert put_back.returncode == 0, put_back.stderr
    console.start()

    assert "/accounts/login/" in before.get(f"{console.url}/keys/").url  # sessions are not restored
    after = Visitor()
    after.sign_in(console.url, MEMBERS[0])
    assert "key 1" in after.get(f"{console.url}/keys/").words  # and the token is connected again


def test_a_file_that_is_not_a_backup_is_refused(console: Console, tmp_path: Path) -> None:
    (tmp_path / "photo.sqlite3").write_bytes(b"no database" * 100)
    console.stop()

    refused = manage(console, "restore", tmp_path / "photo.sqlite3")
    there_already = manage(console, "backup", tmp_path / "photo.sqlite3")

    assert (refused.returncode, "is not a backup of Estuary Admin" in refused.stderr) == (1, True)
    assert (there_already.returncode, "nothing is overwritten" in there_already.stderr) == (1, True)
    console.start()
    Visitor().sign_in(console.url, MEMBERS[0])
