"""Operators and admins are told when no worker runs, what waits, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from prometheus_client import Metric

from estuary_admin.observability.metrics import AllMetrics
from keys.jobs.status import worker_status
from keys.models import ScheduledRun, Worker
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def worker(seen: timedelta, *, ended: bool = False) -> Worker:
    at = timezone.now() - seen
    return Worker.objects.create(host="one", pid=1, seen_at=at, ended_at=at if ended else None)


def waiting(name: str, since: timedelta) -> None:
    ScheduledRun.objects.create(name=name, due_at=timezone.now() - since)


def test_a_worker_that_beats_is_told() -> None:
    worker(timedelta(seconds=3))

    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["worker"]["state"] == "ok"
    assert answer.json()["worker"]["workers"] == 1
    assert worker_status().sentence == ""


@pytest.mark.parametrize("ended", [False, True])
def test_five_minutes_without_a_worker_are_told_with_what_waits(ended: bool) -> None:
    worker(6 * MINUTE, ended=ended)
    waiting("a", since=20 * MINUTE)
    waiting("b", since=MINUTE)

    answer = Client().get("/readyz")

    assert answer.status_code == 200  # pages work
    told = answer.json()["worker"]
    assert (told["state"], told["workers"], told["waiting"]) == (
        "degraded",
        0,
        {"scheduled run": 2},
    )
    oldest = ScheduledRun.objects.get(name="a").due_at
    assert worker_status().waiting_since == oldest
    assert worker_status().sentence == (
        "No background worker has been seen for five minutes. Waiting: 2 of scheduled run."
    )


def test_a_console_that_never_had_a_worker_is_told() -> None:
    assert worker_status().is_asleep
    assert worker_status().last_seen is None


def test_a_worker_that_has_just_been_stopped_raises_no_alarm() -> None:
    worker(MINUTE, ended=True)

    assert not worker_status().is_asleep
    assert worker_status().count == 0


def test_claimed_work_does_not_wait_unless_its_worker_ended() -> None:
    alive, dead = worker(timedelta(0)), worker(MINUTE, ended=True)
    now = timezone.now()
    ScheduledRun.objects.create(name="claimed", due_at=now, claimed_by=alive)
    assert worker_status().waiting == []

    ScheduledRun.objects.create(name="left", due_at=now, claimed_by=dead)

    assert [kind.count for kind in worker_status().waiting] == [1]


def metrics() -> Iterator[Metric]:
    return (one for one in AllMetrics().collect() if "work" in one.name)


def test_the_monitor_is_told_the_same() -> None:
    worker(2 * MINUTE)
    waiting("a", since=20 * MINUTE)

    told = {
        sample.name: (sample.labels, sample.value) for one in metrics() for sample in one.samples
    }

    assert told["estuary_admin_workers"] == ({}, 1)
    assert told["estuary_admin_work_waiting"] == ({"kind": "scheduled run"}, 1)
    since = told["estuary_admin_work_waiting_since_timestamp_seconds"][1]
    assert since == pytest.approx((timezone.now() - 20 * MINUTE).timestamp(), abs=60)
    seen = told["estuary_admin_worker_seen_timestamp_seconds"][1]
    assert seen == pytest.approx((timezone.now() - 2 * MINUTE).timestamp(), abs=60)


@pytest.mark.parametrize("url", ["/audit/", "/account/reminders/"])
def test_admins_are_told_on_their_pages_and_members_are_not(
    carol: User, alice: User, url: str
) -> None:
    cache.clear()
    sentence = "No background worker has been seen for five minutes."
    assert sentence in signed_in(carol).get(url).content.decode()
    assert sentence not in signed_in(alice).get(url).content.decode()

    cache.clear()
    worker(timedelta(seconds=3))

    assert sentence not in signed_in(carol).get(url).content.decode()
