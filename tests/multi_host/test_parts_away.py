"""One part is away: what still works, what is told, and that nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keys.sandbox import Fault
from tests.backing import need
from tests.multi_host.team import Team, team
from tests.support.processes import wait_until
from tests.support.visitor import Answer, Visitor

KEY = {"lifetime": "30d", "permission": "upload"}
TOKEN = re.compile(r"EST[0-9a-f-]{36}ARY")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Team]:
    need("postgresql", "redis-server", "nginx-light")
    with team(tmp_path, {"alice": 3}) as running:
        yield running


@pytest.fixture
def alice(running: Team) -> Visitor:
    visitor = Visitor()
    visitor.sign_in(running.one.url, "alice")
    return visitor


def readiness(visitor: Visitor, machine: str) -> tuple[int, dict[str, str]]:
    answer = visitor.get(f"{machine}/readyz")
    return answer.status, json.loads(answer.text)


def test_members_work_on_when_one_machine_dies(running: Team, alice: Visitor) -> None:
    form = alice.get(f"{running.one.url}/keys/new/").hidden | KEY | {"label": "after the crash"}

    running.one.kill()

    # Opened on the machine that is gone, sent to the one that is left.
    assert TOKEN.search(alice.post(f"{running.front}/keys/new/", form).text)
    for _ in range(4):
        page = alice.get(f"{running.front}/keys/")
        assert (page.status, "after the crash" in page.words) == (200, True)


def test_a_machine_that_dies_during_a_creation_makes_one_key(running: Team, alice: Visitor) -> None:
    form = alice.get(f"{running.one.url}/keys/new/").hidden | KEY | {"label": "in flight"}
    running.node.set_fault("create", Fault("delay", seconds=2))
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(alice.twin().post, f"{running.one.url}/keys/new/", form)
        wait_until(lambda: any(request.method == "POST" for request in running.node.requests))
        running.one.kill()
        assert sent.exception()
    running.node.clear_faults()

    again: Answer = alice.post(f"{running.front}/keys/new/", form)

    assert not TOKEN.search(again.text)
    assert "We do not know whether the key was created" in again.words
    assert sum(key.label == "in flight" for key in running.node.state.keys.values()) == 1
    assert "in flight" in alice.get(f"{running.front}/keys/?fresh=1").words


def test_without_redis_pages_are_right_and_the_operator_is_told(
    running: Team, alice: Visitor
) -> None:
    running.redis.stop()

    assert alice.get(f"{running.two.url}/keys/").status == 200
    created = alice.submit(f"{running.one.url}/keys/new/", label="without redis", **KEY)
    assert TOKEN.search(created.text)
    assert "without redis" in alice.get(f"{running.two.url}/keys/").words
    guesser = Visitor("203.0.113.66")
    for number in range(6):
        machine = (running.one, running.two)[number % 2]
        told = guesser.try_to_sign_in(machine.url, "alice", f"guess {number}")
    assert "Too many failed" in told.words  # counted across both, in the database now
    status, parts = readiness(alice, running.one.url)
    assert (status, parts["cache"]) == (200, "degraded")
    assert "cache_degraded" in running.one.log.read_text()

    running.redis.start()
    wait_until(lambda: readiness(alice, running.one.url)[1]["cache"] == "ok")
    assert "cache_recovered" in running.one.log.read_text()


def test_without_the_database_pages_fail_and_then_come_back(running: Team, alice: Visitor) -> None:
    running.database.stop()

    page = alice.get(f"{running.front}/keys/")
    assert page.status == 500
    assert "Traceback" not in page.text
    status, parts = readiness(alice, running.one.url)
    assert (status, parts["database"]) == (503, "failed")
    assert alice.get(f"{running.one.url}/healthz").text == "ok"

    running.database.start()
    wait_until(lambda: alice.get(f"{running.one.url}/keys/").status == 200)
    assert "key 1" in alice.get(f"{running.one.url}/keys/").words  # still signed in
