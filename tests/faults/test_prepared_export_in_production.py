"""A large prepared export, by a worker and through the production server, in constant memory."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest

from keys.sandbox import Sandbox
from tests.faults.test_export_in_production import resident, submit
from tests.keys.jobs.conftest import until
from tests.support.console import PASSWORD, ROOT, Console
from tests.support.processes import ending_with_parent

pytestmark = pytest.mark.timeout(300)  # workers start slowly on a busy machine

CONTENTS = 170_000  # about 200 MB
MOST_GROWTH_KIB = 32 * 1024


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with Sandbox(rate_limit=None) as node:
        token = node.add_key(node.add_user("alice", contents=CONTENTS), label="console")
        with Console(tmp_path, node, [{"name": "alice", "token": token}]) as running:
            yield running


@pytest.fixture
def worker(console: Console) -> Iterator[subprocess.Popen[bytes]]:
    with console.log.open("ab") as log:
        process = subprocess.Popen(
            ending_with_parent([sys.executable, "manage.py", "worker"]),
            cwd=ROOT,
            env=console.environment,
            stderr=log,
        )
    yield process
    process.terminate()
    process.wait()


def peak(pid: int) -> int:
    """The most memory that a process has had so far, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found
    return int(found[1])


def state_at(browser: OpenerDirector, url: str) -> str:
    with browser.open(url) as answer:
        found = re.search(r'data-state="(\w+)"', answer.read().decode())
    assert found
    return found[1]


def test_a_broken_download_goes_on_where_it_stopped(
    console: Console, worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    if not shutil.which("curl"):
        pytest.skip("no curl on this machine")
    cookies = CookieJar()
    browser = build_opener(HTTPCookieProcessor(cookies))
    submit(browser, console, "/accounts/login/", {"login": "alice", "password": PASSWORD}).read()
    until(lambda: "worker_started" in console.log.read_text())
    before = peak(worker.pid)

    page = submit(browser, console, "/exports/prepare/", {}).url
    until(lambda: state_at(browser, page) in {"ready", "failed"})

    assert state_at(browser, page) == "ready"
    assert peak(worker.pid) - before < MOST_GROWTH_KIB
    with browser.open(page) as answer:
        line = answer.read().decode().split('id="checksum" class="hash checksum">')[1].split("<")[0]
    file = tmp_path / line.split()[1]
    cookie = "; ".join(f"{one.name}={one.value}" for one in cookies)
    resident_before = resident(console)
    for options in (["--range", "0-77777777"], ["--continue-at", "-"]):
        subprocess.run(
            ["curl", "-sS", "--fail", *options, "-o", file, "-H", f"Cookie: {cookie}",
             f"{page}file/?form=json"],
            check=True,
        )  # fmt: skip
        assert file.stat().st_size >= 77777778
    assert resident(console) - resident_before < MOST_GROWTH_KIB
    done = subprocess.run(
        ["sha256sum", "-c"], input=line.encode(), cwd=tmp_path, capture_output=True, check=False
    )
    assert done.stdout.endswith(b": OK\n")
