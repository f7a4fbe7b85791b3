"""Exports through the production server that end early: stalled readers, restarts, Stop."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from keys.sandbox import Fault, Sandbox
from tests.support.console import PASSWORD, Console
from tests.support.processes import wait_until

CONTENTS = 50_000  # about 60 MB, more than all buffers on the way hold
WAIT = 120  # seconds that Estuary would take


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    environment = {"EXPORT_IDLE": "2", "WEB_GRACEFUL_TIMEOUT": "7"}
    with Sandbox(rate_limit=None) as node:
        token = node.add_key(node.add_user("alice", contents=CONTENTS), label="console")
        member = {"name": "alice", "token": token}
        with Console(tmp_path, node, [member], environment=environment) as running:
            yield running


@pytest.fixture
def cookies() -> CookieJar:
    return CookieJar()


@pytest.fixture
def browser(console: Console, cookies: CookieJar) -> OpenerDirector:
    opener = build_opener(HTTPCookieProcessor(cookies))
    form = {"login": "alice", "password": PASSWORD}
    opener.open(request(opener, console, "/accounts/login/", "/accounts/login/", form)).read()
    return opener


def request(
    browser: OpenerDirector, console: Console, page: str, path: str, form: dict[str, str]
) -> Request:
    """A form as a page has it: with that page's secret."""
    text = browser.open(console.url + page).read().decode()
    secret = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
    assert secret
    body = urlencode(form | {"csrfmiddlewaretoken": secret[1]}).encode()
    return Request(console.url + path, body, {"Referer": console.url + page})


def rows(console: Console, query: str) -> list[tuple[str, ...]]:
    database = Path(console.environment["DATA_DIR"]) / "estuary-admin.sqlite3"
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


def ends(console: Console) -> list[tuple[str, ...]]:
    """Action, outcome and reason of the export's last row."""
    query = (
        "SELECT action, outcome, json_extract(detail, '$.reason') FROM keys_auditentry"
        " WHERE action LIKE 'export:%' ORDER BY id DESC LIMIT 1"
    )
    return rows(console, query)


def has_lease(console: Console) -> bool:
    return bool(rows(console, "SELECT 1 FROM keys_exportlease"))


def test_a_reader_that_takes_nothing_is_cut_and_the_account_is_free(
    console: Console, browser: OpenerDirector, cookies: CookieJar
) -> None:
    wanted = request(browser, console, "/exports/", "/exports/download/", {})
    cookies.add_cookie_header(wanted)
    with socket.create_connection(("127.0.0.1", console.port)) as stalled:
        assert isinstance(wanted.data, bytes)
        head = {**dict(wanted.header_items()), "Host": f"localhost:{console.port}"}
        head |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(wanted.data)),
        }
        lines = [f"{name}: {value}" for name, value in head.items()]
        stalled.sendall("\r\n".join(["POST /exports/download/ HTTP/1.1", *lines, "", ""]).encode())
        stalled.sendall(wanted.data)
        assert stalled.recv(12) == b"HTTP/1.1 200"

        wait_until(lambda: ends(console) == [("export:failed", "failed", "stalled")])

        assert not has_lease(console)
        with browser.open(
            request(browser, console, "/exports/", "/exports/download/", {})
        ) as next_:
            assert next_.status == 200


def test_a_restart_while_estuary_builds_the_document_frees_the_account(
    console: Console, browser: OpenerDirector
) -> None:
    console.node.set_fault("export", Fault("delay", seconds=WAIT))
    wanted = request(browser, console, "/exports/", "/exports/download/", {})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(browser.open, wanted)
        wait_until(lambda: has_lease(console))

        console._server.send_signal(signal.SIGTERM)
        with pytest.raises(HTTPError) as refused:
            answer.result()
    console._server.wait()

    assert refused.value.status == 503
    assert "This console is restarting" in refused.value.read().decode()
    assert ends(console) == [("export:failed", "failed", "shutdown")]
    assert not has_lease(console)
    console.start()


def test_the_page_stops_an_export(console: Console, browser: OpenerDirector) -> None:
    console.node.set_fault("export", Fault("delay", seconds=WAIT))
    wanted = request(browser, console, "/exports/", "/exports/download/", {})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(browser.open, wanted)
        wait_until(lambda: has_lease(console))
        page = browser.open(f"{console.url}/exports/").read().decode()
        [number] = re.findall(r'name="export" value="(\d+)"', page)

        stop = request(browser, console, "/exports/", "/exports/stop/", {"export": number})
        assert "The export stops within a few seconds." in browser.open(stop).read().decode()
        with pytest.raises(HTTPError) as refused:
            answer.result()

    assert "The export was stopped." in refused.value.read().decode()
    assert ends(console) == [("export:cancelled", "done", "stopped")]
    assert not has_lease(console)
