"""Rows of work: which are free, when a failed one is tried again, and when a claim is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from keys.jobs import claims, workers
from keys.jobs.periodic import run_when_due
from keys.models import ScheduledRun, Worker
from keys.models.jobs import Claimable

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _worker(db: None) -> Iterator[Worker]:
    yield workers.register()
    workers.unregister()


def job(**fields: object) -> ScheduledRun:
    return ScheduledRun.objects.create(name=f"job-{uuid4()}", **fields)


def rows() -> QuerySet[ScheduledRun]:
    return ScheduledRun.objects.all()


def fail(_row: ScheduledRun) -> None:
    raise RuntimeError("in a test")


def test_due_rows_are_worked_on_oldest_first() -> None:
    now = timezone.now()
    later = job(due_at=now - timedelta(minutes=1))
    first = job(due_at=now - timedelta(hours=1))
    job(due_at=now + DAY)
    job(due_at=None)
    seen: list[int] = []

    assert claims.work_off(rows(), lambda row: seen.append(row.pk)) == 2
    assert seen == [first.pk, later.pk]
    assert not claims.due(rows()).exists()


def test_a_failed_row_is_tried_later_and_the_others_go_on() -> None:
    bad, good = job(), job()
    done: list[int] = []

    def work(row: ScheduledRun) -> None:
        if row.pk == bad.pk:
            fail(row)
        done.append(row.pk)

    claims.work_off(rows(), work)

    bad.refresh_from_db()
    assert done == [good.pk]
    assert (bad.failures, bad.claimed_by) == (1, None)
    assert bad.due_at
    assert bad.due_at > timezone.now()


@pytest.mark.parametrize(("failures", "seconds"), [(0, 15), (1, 30), (3, 120), (500, 3600)])
def test_tries_come_further_apart_up_to_an_hour(failures: int, seconds: int) -> None:
    row = job(failures=failures)

    claims.work_off(rows(), fail)

    row.refresh_from_db()
    assert row.due_at
    assert abs(row.due_at - timezone.now() - timedelta(seconds=seconds)) < timedelta(seconds=5)


def test_a_success_forgets_the_failures() -> None:
    row = job(failures=7)

    claims.work_off(rows(), lambda _: None)

    row.refresh_from_db()
    assert row.failures == 0


def test_a_claimed_row_is_nobody_elses_until_its_worker_ends() -> None:
    other = Worker.objects.create(host="elsewhere", pid=1)
    row = job(claimed_by=other)
    assert claims.work_off(rows(), fail) == 0

    Worker.objects.filter(pk=other.pk).update(ended_at=timezone.now())

    assert claims.work_off(rows(), lambda _: None) == 1
    row.refresh_from_db()
    assert row.due_at is None


def test_a_row_that_this_worker_left_claimed_is_free_for_its_threads() -> None:
    row = claims.claim_next(ScheduledRun.objects.filter(pk=job().pk))
    assert row
    assert claims.claim_next(rows()) is None  # a thread of this worker holds it

    claims._held.clear()  # as when the database was away when the work failed

    again = claims.claim_next(rows())
    assert again
    assert again.claims == row.claims + 1
    claims._held.clear()


def test_threads_that_found_the_same_row_claim_it_once() -> None:
    number = job().pk
    first, second = (ScheduledRun.objects.get(pk=number) for _ in range(2))
    assert claims._hold(first)
    assert claims._claim(first)

    assert not claims._hold(second)
    assert not claims._hold(ScheduledRun.objects.get(pk=number))  # found after the claim
    assert not claims._claim(second)  # found before it, in another process
    claims._held.clear()


def taken_over(row: ScheduledRun) -> None:
    """Another worker got the row meanwhile, because ours was thought dead."""
    other = Worker.objects.create(host="elsewhere", pid=1)
    ScheduledRun.objects.filter(pk=row.pk).update(claimed_by=other, claims=row.claims + 1)


def test_who_lost_a_claim_changes_nothing() -> None:
    row = job()

    def work(claimed: ScheduledRun) -> None:
        taken_over(claimed)
        with pytest.raises(claims.ClaimLost):
            claims.confirm(claimed)
        claims.conclude(claimed, last_ended_at=timezone.now())

    claims.work_off(rows(), work)

    row.refresh_from_db()
    assert (row.last_ended_at, row.due_at is None) == (None, False)
    assert row.claimed_by
    assert row.claimed_by.host == "elsewhere"


def test_a_failure_after_a_lost_claim_changes_nothing_either() -> None:
    row = job()

    def work(claimed: ScheduledRun) -> None:
        taken_over(claimed)
        fail(claimed)

    claims.work_off(rows(), work)

    row.refresh_from_db()
    assert row.failures == 0


def test_work_that_is_rolled_back_after_its_conclusion_is_tried_later() -> None:
    row = job()

    def work(claimed: ScheduledRun) -> None:
        with transaction.atomic():
            claims.conclude(claimed)
            fail(claimed)

    assert claims.work_off(rows(), work) == 1

    row.refresh_from_db()
    assert (row.failures, row.claimed_by) == (1, None)


@contextmanager
def failing_updates() -> Iterator[None]:
    """The database goes away before the next change of a row."""

    def away(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("in a test")
        return execute(sql, *rest)

    with connection.execute_wrapper(away):
        yield


@pytest.mark.django_db(transaction=True)
def test_a_row_whose_claim_could_not_be_written_is_claimed_next_time() -> None:
    row = job()
    with failing_updates(), pytest.raises(OperationalError):
        claims.work_off(rows(), lambda _: None)

    assert claims.work_off(rows(), lambda _: None) == 1
    row.refresh_from_db()
    assert row.due_at is None


@pytest.mark.django_db(transaction=True)
def test_a_failed_row_whose_claim_could_not_be_ended_is_tried_again_by_this_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = job()
    with ExitStack() as outage:

        def work(_row: ScheduledRun) -> None:
            outage.enter_context(failing_updates())
            raise OperationalError("in a test")

        claims.work_off(ScheduledRun.objects.filter(pk=row.pk, claims=0), work)
    assert "claim_not_ended" in caplog.messages

    assert claims.work_off(rows(), lambda _: None) == 1
    row.refresh_from_db()
    assert (row.due_at, row.claimed_by, row.claims) == (None, None, 2)


def test_a_row_that_another_thread_takes_first_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken, other = job(), job()
    hold = claims._hold
    seen: list[int] = []

    def overtaken(row: Claimable) -> bool:
        if row.pk == taken.pk:  # the other thread claims it right after this one's query
            same = ScheduledRun.objects.get(pk=row.pk)
            assert hold(same)
            assert claims._claim(same)
        return hold(row)

    monkeypatch.setattr(claims, "_hold", overtaken)

    claims.work_off(rows(), lambda row: seen.append(row.pk))

    assert seen == [other.pk]
    claims._held.clear()


@pytest.mark.timeout(20)  # it would be asked for without end
def test_a_row_given_free_under_a_thread_is_left_until_the_thread_ends() -> None:
    tries: list[int] = []

    def give_free(row: ScheduledRun) -> None:
        tries.append(row.pk)
        if len(tries) == 1:
            rows().filter(pk=row.pk).update(claimed_by=None, claims=row.claims + 1)
            assert claims.claim_next(rows()) is None

    row = job()

    claims.work_off(rows(), give_free)

    assert tries == [row.pk, row.pk]


def test_a_worker_that_was_declared_dead_confirms_nothing() -> None:
    row = claims.claim_next(ScheduledRun.objects.filter(pk=job().pk))
    assert row
    claims.confirm(row)

    Worker.objects.update(ended_at=timezone.now())

    with pytest.raises(claims.ClaimLost):
        claims.confirm(row)
    claims._held.clear()


def test_who_is_no_worker_claims_nothing() -> None:
    workers.unregister()
    job()

    with pytest.raises(workers.NoWorker):
        claims.work_off(rows(), fail)


def test_a_stopping_worker_begins_nothing() -> None:
    job()
    workers.stop_requested.set()
    try:
        assert claims.work_off(rows(), fail) == 0
    finally:
        workers.stop_requested.clear()


def test_a_retry_set_under_a_wrong_clock_is_due_all_the_same() -> None:
    job(failures=1, due_at=timezone.now() + timedelta(days=3650))

    assert claims.work_off(rows(), lambda _: None) == 1


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(minutes=50)])
def test_a_row_that_fails_is_not_tried_at_once_when_the_workers_clock_is_ahead(
    monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    row = job(failures=8)
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + ahead)

    assert claims.work_off(rows(), fail, for_seconds=1) == 1

    row.refresh_from_db()
    assert row.failures == 9


def test_a_periodic_job_runs_once_in_its_interval() -> None:
    runs: list[int] = []
    for _ in range(3):
        run_when_due("daily", DAY, lambda: runs.append(1))

    assert runs == [1]
    row = ScheduledRun.objects.get(name="daily")
    assert row.due_at
    assert row.last_ended_at
    assert row.due_at - row.last_ended_at == DAY


@pytest.mark.parametrize("off", [timedelta(days=-400), timedelta(days=400)])
def test_a_periodic_job_that_a_clock_or_a_pause_put_off_runs_once(off: timedelta) -> None:
    ScheduledRun.objects.create(name="daily", due_at=timezone.now() + off)
    runs: list[int] = []
    for _ in range(3):
        run_when_due("daily", DAY, lambda: runs.append(1))

    assert runs == [1]


def test_a_silent_worker_is_ended_after_several_looks_and_a_beating_one_never() -> None:
    silent = Worker.objects.create(host="elsewhere", pid=1)
    beating = Worker.objects.create(host="elsewhere", pid=2)
    watch = workers.Watch(workers.current())
    for _ in range(workers.MISSED_BEATS):
        watch.look()
        workers.Watch(beating).beat()
    silent.refresh_from_db()
    assert silent.ended_at is None

    watch.look()

    silent.refresh_from_db()
    beating.refresh_from_db()
    assert silent.ended_at
    assert beating.ended_at is None
    assert not workers.Watch(silent).beat()  # by which it learns of it


def test_a_worker_that_beats_at_the_last_moment_is_not_ended() -> None:
    late = Worker.objects.create(host="elsewhere", pid=1)
    watch = workers.Watch(workers.current())
    for _ in range(workers.MISSED_BEATS):
        watch.look()
    beats: list[bool] = []

    def beating(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not beats:
            beats.append(True)
            workers.Watch(late).beat()
        return execute(sql, *rest)

    with connection.execute_wrapper(beating):
        watch.look()

    late.refresh_from_db()
    assert beats
    assert late.ended_at is None


def test_one_worker_holds_the_scheduler_lease_until_it_ends() -> None:
    first = workers.current()
    assert workers.holds_scheduler_lease()
    second = workers.register()
    assert not workers.holds_scheduler_lease()

    Worker.objects.filter(pk=first.pk).update(ended_at=timezone.now())

    assert workers.holds_scheduler_lease()
    assert workers.current() == second


def test_a_limit_of_time_begins_no_further_row() -> None:
    job()
    job()

    assert claims.work_off(rows(), fail, for_seconds=0) == 0
    assert claims.work_off(rows(), lambda _: None, for_seconds=600) == 2
