"""After a restart or an outage of PostgreSQL the first request is answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keys.sandbox import Fault, Sandbox
from tests.backing import Backing, PostgreSQL, need, running
from tests.multi_host.team import console_of, seat
from tests.support.console import Console
from tests.support.processes import wait_until
from tests.support.visitor import Visitor

SLOW_CREATIONS = 48
ENVIRONMENT = {"TRUSTED_PROXIES": "127.0.0.1", "MEMBER_CHANGES_PER_MINUTE": "1000"}


@pytest.fixture
def database() -> Iterator[Backing]:
    need(PostgreSQL.PACKAGE)
    with running(PostgreSQL) as database:
        yield database


@pytest.fixture
def node() -> Iterator[Sandbox]:
    with Sandbox(rate_limit=None) as node:
        yield node


@pytest.fixture
def console(database: Backing, node: Sandbox, tmp_path: Path) -> Iterator[Console]:
    members = [seat(node, name, 3) for name in ("alice", "bob")]
    environment = ENVIRONMENT | {"DATABASE_URL": database.url, "ESTUARY_TIMEOUT": "30"}
    with console_of(tmp_path / "console", node, environment, members) as console:
        yield console


@pytest.fixture
def alice(console: Console) -> Visitor:
    visitor = Visitor()
    visitor.sign_in(console.url, "alice")
    with ThreadPoolExecutor(12) as threads:  # so that the pool holds several connections
        for answer in threads.map(lambda _: visitor.twin().get(page_of(console)), range(36)):
            assert answer.status == 200
    return visitor


def page_of(console: Console) -> str:
    return f"{console.url}/account/token/"


def test_an_idle_console_answers_the_first_request_after_a_restart(
    console: Console, database: Backing, alice: Visitor
) -> None:
    database.stop()
    database.start()

    assert [alice.get(page_of(console)).status for _ in range(9)] == [200] * 9


def test_after_five_seconds_without_a_database_the_first_request_is_answered(
    console: Console, database: Backing, alice: Visitor
) -> None:
    database.stop()
    end = time.monotonic() + 5
    during = []
    while time.monotonic() < end:
        during.append(alice.get(page_of(console)))
    database.start()

    after = [alice.get(page_of(console)).status for _ in range(9)]

    assert {answer.status for answer in during} <= {500, 503}
    assert max(answer.seconds for answer in during) < 5
    assert after == [200] * 9


def test_under_load_every_request_after_a_restart_is_answered(
    console: Console, database: Backing, alice: Visitor
) -> None:
    stopping = threading.Event()
    answers: list[tuple[float, int]] = []

    def ask_again_and_again(_: int) -> None:
        visitor = alice.twin()
        while not stopping.is_set():
            began = time.monotonic()
            answers.append((began, visitor.get(page_of(console)).status))

    with ThreadPoolExecutor(8) as threads:
        working = threads.map(ask_again_and_again, range(8))
        try:
            wait_until(lambda: len(answers) > 40)
            database.stop()
            database.start()
            back_at = time.monotonic()
            wait_until(lambda: sum(began > back_at for began, _ in answers) > 40)
        finally:
            stopping.set()
        list(working)

    assert {status for began, status in answers if began > back_at} == {200}


def test_slow_creations_leave_the_database_to_other_requests(
    console: Console, node: Sandbox, alice: Visitor
) -> None:
    bob = Visitor()
    bob.sign_in(console.url, "bob")
    forms = [alice.get(f"{console.url}/keys/new/").hidden for _ in range(SLOW_CREATIONS)]
    node.set_fault("create", Fault("delay", seconds=8))
    node.forget_requests()

    def create(number: int) -> str:
        fields = {"label": f"slow {number}", "lifetime": "30d", "permission": "upload"}
        return alice.twin().post(f"{console.url}/keys/new/", forms[number] | fields).text

    with ThreadPoolExecutor(SLOW_CREATIONS) as threads:
        created = threads.map(create, range(SLOW_CREATIONS))
        wait_until(lambda: posts(node) == SLOW_CREATIONS)
        readiness = bob.get(f"{console.url}/readyz")
        others = [bob.get(page_of(console)).status for _ in range(3)]
        are_all_waiting = all(
            request.status is None for request in node.requests if request.method == "POST"
        )
        pages = list(created)

    assert are_all_waiting
    assert (readiness.status, json.loads(readiness.text)["database"]) == (200, "ok")
    assert others == [200] * 3
    assert ["ARY" in page for page in pages] == [True] * SLOW_CREATIONS


def posts(node: Sandbox) -> int:
    return sum(request.method == "POST" for request in node.requests)
