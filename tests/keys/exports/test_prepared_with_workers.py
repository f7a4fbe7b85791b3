"""Prepared exports when real workers are killed in the middle of them, or are several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from keys.models import PreparedExport
from keys.sandbox import Fault, Sandbox
from tests.conftest import connect, signed_in
from tests.keys.exports.conftest import PREPARE
from tests.keys.jobs.conftest import Workers, until, workers

__all__ = ["workers"]

pytestmark = pytest.mark.timeout(300)  # workers start slowly on a busy machine

EXPORT = "GET /user/export"


def start(workers: Workers, node: Sandbox, folder: Path) -> Any:
    return workers.start(ESTUARY_API_URL=node.url, EXPORT_STORAGE=str(folder))


def exports_asked(node: Sandbox) -> int:
    return sum(request.path == "/user/export" for request in node.requests)


def only() -> PreparedExport:
    return PreparedExport.objects.get()


def ask(alice: User, node: Sandbox, contents: int) -> None:
    connect(alice, node.add_key(node.add_user("rich", contents=contents)))
    signed_in(alice).post(PREPARE)


def kill_and_start_two(workers: Workers, killed: Any, node: Sandbox, folder: Path) -> None:
    killed.kill()
    killed.wait()
    node.clear_faults()
    start(workers, node, folder)
    start(workers, node, folder)
    until(lambda: only().state == "ready")


def test_a_worker_killed_while_estuary_builds_the_file_is_followed_by_the_next_one(
    workers: Workers, alice: User, node: Sandbox, folder: Path
) -> None:
    node.set_fault("export", Fault("never"))
    ask(alice, node, 3000)
    killed = start(workers, node, folder)
    until(lambda: only().state == "running" and exports_asked(node))

    kill_and_start_two(workers, killed, node, folder)

    assert (only().tries, exports_asked(node), only().content_count) == (2, 2, 3000)
    assert [path.name for path in folder.iterdir()] == [only().file_name]


def test_a_worker_killed_while_it_stores_the_file_is_followed_by_the_next_one(
    workers: Workers, alice: User, node: Sandbox, folder: Path
) -> None:
    ask(alice, node, 600_000)  # takes seconds: the first of them is enough
    killed = start(workers, node, folder)
    until(lambda: only().size)
    assert only().state == "running"

    kill_and_start_two(workers, killed, node, folder)

    assert (only().tries, exports_asked(node), only().content_count) == (2, 2, 600_000)
    assert [path.name for path in folder.iterdir()] == [only().file_name]


def test_two_workers_prepare_each_export_once(
    workers: Workers, node: Sandbox, folder: Path, db: None
) -> None:
    for number in range(6):
        member = User.objects.create_user(f"member-{number}")
        connect(member, node.add_key(node.add_user(f"account-{number}", contents=100)))
        signed_in(member).post(PREPARE)
    start(workers, node, folder)
    start(workers, node, folder)

    until(lambda: PreparedExport.objects.filter(state="ready").count() == 6)
    assert exports_asked(node) == 6
    assert set(PreparedExport.objects.values_list("tries", flat=True)) == {1}
