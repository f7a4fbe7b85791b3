"""What a queue may hold, and what happens when it cannot be reached."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import transaction
from huey.api import Huey
from huey.exceptions import HueyException
from huey.storage import MemoryStorage

from keys.jobs.queues import WakeUpSerializer, wake

TOKEN = "EST12345678-1234-1234-1234-123456789abcARY"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Huey:
    return Huey("test", storage_class=MemoryStorage, results=False, serializer=WakeUpSerializer())


def test_a_task_survives_the_queue(queue: Huey) -> None:
    seen: list[int] = []

    def work(number: int) -> None:
        seen.append(number)

    task = queue.task()(work)
    task(7)
    task.schedule((8,), delay=60)

    assert all(stored.startswith(b"{") for stored in queue.storage.enqueued_items())
    queue.execute(queue.dequeue())
    queue.execute(queue.dequeue())  # not yet: it goes to the schedule
    assert seen == [7]
    assert queue.scheduled_count() == 1


@pytest.mark.parametrize("argument", [TOKEN, "alice", 1.5, None, ["a"]])
def test_a_wake_up_carries_primary_keys_only(queue: Huey, argument: Any) -> None:
    task = queue.task()(lambda _: None)
    with pytest.raises(TypeError):
        task(argument)

    assert len(queue) == 0


def test_a_wake_up_carries_nothing_by_name(queue: Huey) -> None:
    def work(*, token: int) -> None:
        raise AssertionError(token)

    with pytest.raises(ValueError, match="primary keys only"):
        queue.task()(work)(token=1)


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_is_sent_after_the_commit(queue: Huey) -> None:
    task = queue.task()(lambda _: None)

    with transaction.atomic():
        wake(task, 1)
        assert len(queue) == 0

    assert len(queue) == 1


@pytest.mark.django_db(transaction=True)
def test_a_queue_that_is_away_fails_no_page(
    queue: Huey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> None:
        raise OSError("in a test")

    monkeypatch.setattr(queue.storage, "enqueue", away)
    task = queue.task()(lambda _: None)

    with caplog.at_level(logging.WARNING), transaction.atomic():
        wake(task, 1)

    assert "wake_up_failed" in caplog.text


def test_a_task_of_another_version_is_refused(queue: Huey) -> None:
    queue.storage.enqueue(
        b'{"id":"1","name":"os.system","args":[1],"eta":null,"retries":0,"retry_delay":0}'
    )

    with pytest.raises(HueyException):
        queue.dequeue()
