"""`make demo` as a new user runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from keys.demo.__main__ import answers, listen
from tests.support.console import ROOT
from tests.support.processes import ending_with_parent, free_port, skip_when_fast, stop_server


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A demo started with the environment of a real console: its port and its output."""
    port = free_port()
    real = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/real.sqlite3",
        "STATIC_ROOT": str(tmp_path / "static"),
        "ALLOWED_HOSTS": "keys.example.com",
        "SECRET_KEY_FILE": str(tmp_path / "no-such-file"),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SSO_MODE": "proxy-header",
        "ESTUARY_FORWARD_CLIENT_IP": "true",
        "WEB_CONCURRENCY": "nonsense",
    }
    skip_when_fast()
    process = subprocess.Popen(
        ending_with_parent([sys.executable, "-m", "keys.demo.__main__", "--port", str(port)]),
        cwd=ROOT,
        env={**os.environ, **real},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    printed = ""
    try:
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, f"the demo ended after: {printed}"
            printed += line
        yield port, printed
    finally:
        stop_server(process, signal.SIGINT)
        process.stdout.close()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []  # the real console was left alone


def sign_in(browser: OpenerDirector, port: int, name: str) -> str:
    where = f"http://localhost:{port}/accounts/login/"
    page = browser.open(where).read().decode()
    secret = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert secret
    form = {"login": name, "password": "sandbox", "csrfmiddlewaretoken": secret[1]}
    request = Request(where, urlencode(form).encode(), headers={"Referer": where})
    answer: str = browser.open(request).read().decode()
    return answer


def test_a_newcomer_finds_a_seeded_team(demo: tuple[int, str]) -> None:
    port, printed = demo
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    keys = sign_in(browser, port, "alice")
    assert f"http://localhost:{port}/" in printed
    assert "Sandbox" in keys
    assert len(re.findall(r'href="/keys/[\w-]{43}/"', keys)) >= 25
    assert "&lt;" in keys  # the label that holds HTML

    bob = sign_in(build_opener(HTTPCookieProcessor(CookieJar())), port, "bob")
    assert "Token of your Estuary key" in bob
    assert re.search(r"EST[\w-]+ARY", printed)


def test_a_taken_port_is_told_and_another_proposed() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "keys.demo.__main__", "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr == f"Port {port} is taken. Try: make demo PORT={port + 1}\n"


def test_of_two_demos_at_once_one_goes_on() -> None:
    first = listen(port := free_port())

    assert first
    with first:
        assert listen(port) is None


def test_a_server_that_ends_at_once_is_not_waited_for() -> None:
    with subprocess.Popen(ending_with_parent([sys.executable, "-c", ""])) as server:
        server.wait()

        assert not answers(free_port(), server)
