"""A worker's scheduler wakes the tasks, also while the queue or the database is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from huey.api import Huey
from huey.storage import MemoryStorage

from keys.jobs import consumers, workers
from keys.jobs.consumers import LeasedScheduler, SeldomFilter
from keys.jobs.queues import WakeUpSerializer
from keys.jobs.tasks import always
from keys.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)  # it closes connections
NOW = datetime(2030, 1, 1)  # noqa: DTZ001 - as huey passes it
WAIT_SECONDS = 30


@pytest.fixture(autouse=True)
def _worker(transactional_db: None) -> Iterator[None]:
    workers.register()
    yield
    workers.unregister()


@pytest.fixture
def queue() -> Huey:
    return Huey("test", storage_class=MemoryStorage, results=False, serializer=WakeUpSerializer())


@pytest.fixture
def lost_queue(queue: Huey, monkeypatch: pytest.MonkeyPatch) -> Huey:
    """A queue that takes nothing, as while Redis is away."""

    def away(*_: Any, **__: Any) -> NoReturn:
        raise ConnectionError("in a test")

    monkeypatch.setattr(queue.storage, "enqueue", away)
    return queue


def schedule(queue: Huey) -> None:
    scheduler = LeasedScheduler(queue, interval=1, periodic=True, stop_flag=threading.Event())
    scheduler.enqueue_periodic_tasks(NOW)


def threads_without_queue() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("without-queue-")]


def end_of_threads() -> None:
    for thread in threads_without_queue():
        thread.join(WAIT_SECONDS)


def add_task(queue: Huey, work: Callable[[], object]) -> None:
    queue.periodic_task(always, name="work")(work)


def test_wake_ups_do_not_pile_up_while_all_threads_are_busy(queue: Huey) -> None:
    add_task(queue, lambda: None)

    for _ in range(3):
        schedule(queue)

    assert queue.pending_count() == 1


def test_a_worker_without_the_lease_wakes_nothing(queue: Huey) -> None:
    add_task(queue, lambda: None)
    assert workers.holds_scheduler_lease()
    workers.register()  # a second worker

    schedule(queue)

    assert queue.pending_count() == 0


def test_work_is_done_while_the_queue_is_away_once_at_a_time(
    lost_queue: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    go_on, runs = threading.Event(), []

    def work() -> None:
        runs.append(threading.current_thread().name)
        go_on.wait(WAIT_SECONDS)

    add_task(lost_queue, work)
    try:
        schedule(lost_queue)
        schedule(lost_queue)
        assert len(threads_without_queue()) == 1
    finally:
        go_on.set()
        end_of_threads()
    assert runs == ["without-queue-work"]

    schedule(lost_queue)
    end_of_threads()
    assert len(runs) == 2
    assert "queue_away" in caplog.messages


def test_work_that_fails_while_the_queue_is_away_is_logged_and_tried_again(
    lost_queue: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    runs = []

    def work() -> None:
        runs.append(1)
        raise RuntimeError("in a test")

    add_task(lost_queue, work)
    for _ in range(2):
        schedule(lost_queue)
        end_of_threads()

    assert len(runs) == 2
    failed = [record for record in caplog.records if record.message == "task_failed"]
    assert [record.__dict__["reason"] for record in failed] == ["work", "work"]


def test_the_scheduler_outlives_an_outage_of_the_database(
    queue: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> NoReturn:
        raise OperationalError("in a test")

    add_task(queue, lambda: None)
    with connection.execute_wrapper(away):
        schedule(queue)
    assert "scheduling_failed" in caplog.messages
    assert queue.pending_count() == 0

    schedule(queue)

    assert queue.pending_count() == 1


def test_a_queue_that_cannot_be_read_is_logged_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    monkeypatch.setattr(consumers, "time", SimpleNamespace(monotonic=lambda: now[0]))
    log = logging.getLogger("tests.huey")
    seldom = SeldomFilter()
    log.addFilter(seldom)
    try:
        for now[0] in (0.0, 1.0, 59.0, 60.0):
            error = ConnectionError("in a test")
            log.error("Error reading from queue", exc_info=error)
        log.error("Something else")
    finally:
        log.removeFilter(seldom)

    assert caplog.messages == ["queue_unreadable", "queue_unreadable", "Something else"]
    assert caplog.records[0].__dict__["reason"] == "ConnectionError"
    assert caplog.records[0].exc_info is None


def test_a_heartbeat_outlives_an_outage_and_learns_that_its_worker_was_declared_dead(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.WORKER_BEAT_SECONDS = 0
    outages, lost = [OperationalError("in a test")], []

    def away(execute: Callable[..., Any], *arguments: Any) -> Any:
        if outages:
            raise outages.pop()
        return execute(*arguments)

    def declare_dead(_watch: workers.Watch) -> None:
        Worker.objects.update(ended_at=timezone.now())

    monkeypatch.setattr(workers.Watch, "look", declare_dead)
    with connection.execute_wrapper(away):
        workers.Heartbeat(workers.current(), when_lost=lambda: lost.append(True)).run()

    assert caplog.messages == ["heartbeat_failed"]
    assert lost == [True]
