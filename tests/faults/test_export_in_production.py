"""Exports through the production server are complete, or visibly broken off."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from http.client import HTTPResponse, IncompleteRead
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from keys.sandbox import Fault, Sandbox
from tests.support.console import PASSWORD, Console

CONTENTS = 170_000  # about 200 MB
MOST_GROWTH = 16 * 1024  # KiB


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Sandbox(rate_limit=None) as node:
        token = node.add_key(node.add_user("alice", contents=CONTENTS), label="console")
        folder = tmp_path_factory.mktemp("console")
        with Console(folder, node, [{"name": "alice", "token": token}]) as running:
            yield running


@pytest.fixture
def browser(console: Console) -> OpenerDirector:
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    submit(opener, console, "/accounts/login/", {"login": "alice", "password": PASSWORD}).read()
    return opener


def submit(
    browser: OpenerDirector, console: Console, path: str, form: dict[str, str]
) -> HTTPResponse:
    """Send a form as a page has it: with that page's secret."""
    page = path if path.startswith("/accounts") else "/exports/"
    text = browser.open(console.url + page).read().decode()
    secret = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
    assert secret
    body = urlencode(form | {"csrfmiddlewaretoken": secret[1]}).encode()
    answer = browser.open(Request(console.url + path, body, {"Referer": console.url + page}))
    assert isinstance(answer, HTTPResponse)
    return answer


def resident(console: Console) -> int:
    """Memory of the server's processes in KiB."""
    children = Path(f"/proc/{console.pid}/task/{console.pid}/children").read_text().split()
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in children]
    return sum(int(line.split()[1]) for s in statuses for line in s.splitlines() if "VmRSS" in line)


def test_a_large_export_is_complete_and_the_server_stays_small(
    console: Console, browser: OpenerDirector
) -> None:
    with submit(browser, console, "/exports/download/", {}) as left_early:
        left_early.read(1_000_000)  # the server is warm then
    before, most = resident(console), 0
    digest, size = hashlib.sha256(), 0

    download = submit(browser, console, "/exports/download/", {})
    while chunk := download.read(4_000_000):
        digest.update(chunk)
        size += len(chunk)
        most = max(most, resident(console))
        if size < 40_000_000:
            time.sleep(0.1)  # what the browser does not take must not pile up

    assert size > 200_000_000
    assert most - before <= MOST_GROWTH
    page = browser.open(f"{console.url}/exports/").read().decode()
    assert digest.hexdigest() in page
    assert f"{size:,} bytes" in page


def test_an_export_that_breaks_off_is_no_complete_download(
    console: Console, browser: OpenerDirector
) -> None:
    console.node.set_fault("export", Fault("cut", size=5_000_000, times=1))

    download = submit(browser, console, "/exports/download/", {})
    with download, pytest.raises(IncompleteRead):
        download.read()

    page = browser.open(f"{console.url}/exports/").read().decode()
    assert "Failed" in page
    assert "Download now" in page  # and another try is possible at once
