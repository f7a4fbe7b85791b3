"""A process whose system refuses more threads, as at the task limit of a service."""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.estuary_admin.web.test_wire import Answer, get
from tests.support.console import ROOT, Console
from tests.support.processes import listens, start_server

#: Gunicorn in which `Thread.start` fails as it does at a limit of the system.
LIMITED_GUNICORN = """
import os, sys, threading
start = threading.Thread.start

def limited_start(thread):
    if threading.active_count() > int(os.environ["THREAD_LIMIT"]):
        raise RuntimeError("can't start new thread")
    start(thread)

threading.Thread.start = limited_start
from gunicorn.app.wsgiapp import run
sys.argv = ["gunicorn", "estuary_admin.wsgi"]
run()
"""


class LimitedConsole(Console):
    def start(self) -> None:
        self._server = start_server(
            [sys.executable, "-c", LIMITED_GUNICORN],
            self.log,
            lambda: listens(self.port),
            cwd=ROOT,
            environment=self.environment,
        )

    def workers(self) -> str:
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()


def test_a_process_without_any_thread_answers_503(tmp_path: Path) -> None:
    environment = {"THREAD_LIMIT": "0"}
    with (
        Sandbox(rate_limit=None) as node,
        LimitedConsole(tmp_path, node, [], environment=environment) as console,
    ):
        first = get(console.port)
        workers = console.workers()
        answers = [first, *(get(console.port) for _ in range(5))]

        assert {answer.status for answer in answers} == {503}
        assert all(answer.is_our_page for answer in answers)
        assert "too busy" in first.text
        assert first.headers["x-request-id"] in console.log.read_text()
        assert console.workers() == workers


def test_a_client_that_sends_after_the_503_reads_it_all(tmp_path: Path) -> None:
    environment = {"THREAD_LIMIT": "0"}
    with (
        Sandbox(rate_limit=None) as node,
        LimitedConsole(tmp_path, node, [], environment=environment) as console,
    ):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", console.port), timeout=20) as wire:
                raw = wire.recv(1)
                for _ in range(3):
                    wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 100_000)
                while chunk := wire.recv(65_536):
                    raw += chunk
            assert Answer(raw).status == 503
            assert raw.endswith(b"</html>\n")


def test_clients_that_do_not_close_their_connection_hold_up_nobody(tmp_path: Path) -> None:
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, []) as console,
        ExitStack() as held,
    ):
        for _ in range(40):
            wire = held.enter_context(socket.create_connection(("127.0.0.1", console.port), 20))
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

        # Gunicorn itself would wait two seconds for each of them, one after the other.
        assert get(console.port, "/healthz").status == 200


@pytest.mark.parametrize("limit", ["1", "3"])
def test_a_process_with_few_threads_serves_everybody_in_turn(tmp_path: Path, limit: str) -> None:
    environment = {"THREAD_LIMIT": limit}
    with (
        Sandbox(rate_limit=None) as node,
        LimitedConsole(tmp_path, node, [], environment=environment) as console,
    ):
        get(console.port)
        workers = console.workers()
        with ThreadPoolExecutor(24) as clients:
            answers = list(clients.map(lambda _: get(console.port), range(72)))

        assert {answer.status for answer in answers} == {200}
        assert console.workers() == workers


def test_a_process_without_a_free_thread_leaves_a_page_to_another_one(tmp_path: Path) -> None:
    environment = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "1"}
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, [], environment=environment) as console,
        socket.create_connection(("127.0.0.1", console.port)) as slow,
    ):
        # The thread of one process waits for the rest of the form until the end of the test.
        head = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n"
        form = b"Content-Type: application/x-www-form-urlencoded\r\n\r\nlogin="
        slow.sendall(head + b"Cookie: csrftoken=" + b"a" * 32 + b"\r\n" + form)

        assert {get(console.port).status for _ in range(30)} == {200}
