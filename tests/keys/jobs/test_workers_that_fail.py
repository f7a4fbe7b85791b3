"""Work is done, and done once, whatever happens to the workers, the queue and the clock."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
from pathlib import Path

import msgspec
import pytest
from django.conf import settings
from huey.storage import SqliteStorage

from keys.jobs import queues
from keys.jobs.consumers import DECLARED_DEAD
from keys.models import ScheduledRun, SchedulerLease, Worker
from tests.backing import need
from tests.keys.jobs.conftest import Workers, add_jobs, is_done, until

pytestmark = pytest.mark.timeout(300)  # workers start slowly on a busy machine

JOB = "short:job"
#: Of a worker that is to notice the death of another one soon.
QUICK = {"WORKER_BEAT_SECONDS": "0.2"}


def test_a_job_whose_worker_is_killed_is_done_by_the_next_one(workers: Workers) -> None:
    add_jobs(JOB)
    first = workers.start()
    until(lambda: workers.by("begin", JOB))

    first.kill()
    first.wait()
    second = workers.start(**QUICK)
    workers.go()

    until(lambda: is_done(JOB))
    assert workers.by("begin", JOB) == [first.pid, second.pid]
    assert workers.by("end", JOB) == [second.pid]


def test_a_thread_that_ends_is_replaced_and_its_job_is_done(workers: Workers) -> None:
    (workers.folder / f"end-thread-{JOB}").touch()
    add_jobs(JOB)
    workers.go()
    worker = workers.start(WORKER_THREADS="1")

    until(lambda: is_done(JOB))

    assert workers.by("begin", JOB) == [worker.pid, worker.pid]
    assert workers.by("end", JOB) == [worker.pid]
    worker.terminate()
    assert worker.wait(timeout=120) == 0


def test_two_workers_share_the_work_and_do_nothing_twice(workers: Workers) -> None:
    names = [f"short:{number}" for number in range(60)]
    add_jobs(*names)
    workers.go()
    workers.start(WORKER_THREADS="4")
    workers.start(WORKER_THREADS="4")

    until(lambda: is_done(*names))
    assert workers.count("begin") == workers.count("end") == dict.fromkeys(names, 1)


def test_a_task_that_is_delivered_twice_does_its_work_once(workers: Workers) -> None:
    add_jobs(JOB)
    workers.start()
    until(lambda: workers.by("begin", JOB))

    before = workers.count("wake")["short"]
    same = queues.WakeUp("one-id", "__main__.short_steps", (), None, 0, 0)
    for _ in range(30):
        queues.short.storage.enqueue(msgspec.json.encode(same))
    until(lambda: workers.count("wake")["short"] >= before + 30)
    workers.go()

    until(lambda: is_done(JOB))
    assert workers.count("begin") == workers.count("end") == {JOB: 1}


def test_a_queue_that_is_lost_loses_no_work(workers: Workers) -> None:
    workers.start()
    # Until it works on the queue: a thread that opens the file only now would open a new one.
    until(lambda: Worker.objects.filter(ended_at=None, beats__gt=3).exists())

    for queue in (queues.short, queues.long):
        queue.flush()
    if isinstance(queues.short.storage, SqliteStorage):
        for file in Path(settings.DATA_DIR).glob("queue.sqlite3*"):
            file.unlink()
        for queue in (queues.short, queues.long):
            queue.storage.close()
    workers.go()
    add_jobs(JOB)

    until(lambda: is_done(JOB))
    assert workers.count("end") == {JOB: 1}


@pytest.mark.parametrize("hours", [10, -10])
def test_a_jump_of_the_clock_takes_no_work_away_from_a_worker(workers: Workers, hours: int) -> None:
    need("faketime")
    clock = workers.folder / "clock"
    clock.write_text(f"{ahead():+d}")
    add_jobs(JOB)
    # The variable of `tests.at_date` would count more than the file.
    others = {name: value for name, value in workers.environment.items() if name != "FAKETIME"}
    workers.environment, as_others = others | clock_of(clock), workers.environment
    jumping = workers.start()
    workers.environment = as_others
    until(lambda: workers.by("begin", JOB))
    other = workers.start()
    until(lambda: Worker.objects.filter(beats__gt=3, ended_at=None).count() == 2)

    clock.write_text(f"{ahead() + hours * 3600:+d}")
    beats = sum(Worker.objects.values_list("beats", flat=True))
    until(lambda: sum(Worker.objects.values_list("beats", flat=True)) > beats + 20)
    workers.go()

    until(lambda: is_done(JOB))
    assert workers.count("begin") == workers.count("end") == {JOB: 1}
    assert (jumping.poll(), other.poll()) == (None, None)


def ahead() -> int:
    """Seconds by which `tests.at_date` has moved the clock of all processes."""
    return int(os.environ.get("FAKETIME", "0"))


def clock_of(file: Path) -> dict[str, str]:
    """A wall clock that the file moves; the monotonic clock knows no jumps, here as elsewhere."""
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def test_a_worker_that_was_suspended_and_replaced_does_not_go_on(workers: Workers) -> None:
    add_jobs(JOB)
    suspended = workers.start()
    until(lambda: workers.by("begin", JOB))
    workers.suspend(suspended)
    other = workers.start(**QUICK)
    until(lambda: len(workers.by("begin", JOB)) == 2)

    suspended.send_signal(signal.SIGCONT)

    assert suspended.wait(timeout=120) == DECLARED_DEAD
    workers.go()
    until(lambda: is_done(JOB))
    assert workers.by("end", JOB) == [other.pid]


def test_long_work_does_not_hold_up_short_work(workers: Workers) -> None:
    add_jobs("long:export", "long:other")
    workers.start()
    until(lambda: workers.count("begin")["long:export"])

    workers.go("short:rotation")
    add_jobs("short:rotation")

    until(lambda: is_done("short:rotation"))
    assert workers.count("end") == {"short:rotation": 1}


def test_a_stopped_worker_lets_its_job_end(workers: Workers) -> None:
    add_jobs(JOB, "short:later")
    worker = workers.start(WORKER_THREADS="1")
    until(lambda: workers.by("begin", JOB))

    worker.terminate()
    until(lambda: "worker_stopping" in workers.log)
    workers.go()

    assert worker.wait(timeout=120) == 0
    assert is_done(JOB)
    assert not is_done("short:later")  # nothing new is begun
    assert not Worker.objects.filter(ended_at=None).exists()


def test_a_job_that_outlasts_the_stop_is_free_at_once(workers: Workers) -> None:
    add_jobs(JOB)
    worker = workers.start(WORKER_GRACEFUL_TIMEOUT="1")
    until(lambda: workers.by("begin", JOB))

    worker.terminate()

    assert worker.wait(timeout=120) == 0
    [row] = ScheduledRun.objects.filter(name=JOB)
    assert row.claimed_by
    assert row.claimed_by.ended_at
    second = workers.start()
    workers.go()
    until(lambda: is_done(JOB))
    assert workers.by("end", JOB) == [second.pid]


def test_when_the_scheduling_worker_dies_the_other_one_schedules(workers: Workers) -> None:
    started = {process.pid: process for process in (workers.start(**QUICK), workers.start(**QUICK))}
    until(lambda: scheduling_pid() in started)
    dead = scheduling_pid()
    [left] = started.keys() - {dead}

    started[dead].kill()
    started[dead].wait()
    workers.go()
    add_jobs(JOB)

    until(lambda: is_done(JOB))
    until(lambda: scheduling_pid() == left)


def scheduling_pid() -> int:
    lease = SchedulerLease.objects.select_related("holder").first()
    return lease.holder.pid if lease and lease.holder else 0


def test_work_goes_on_while_redis_is_away(workers: Workers) -> None:
    workers.start(REDIS_URL="redis://127.0.0.1:9/0")
    workers.go()
    add_jobs(JOB, "long:job")

    until(lambda: is_done(JOB, "long:job"))
    assert workers.count("end") == {JOB: 1, "long:job": 1}
    assert "queue_away" in workers.log
    assert "Traceback" not in workers.log


class Harmful:
    """What a stranger who can write to the queue would have unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return sqlite3.connect, (str(self.file),)


def test_what_a_stranger_puts_into_the_queue_is_not_run(workers: Workers) -> None:
    harm = workers.folder / "harm"
    for message in (pickle.dumps(Harmful(harm)), b'{"name": "os.system"}', b"\xff"):
        queues.short.storage.enqueue(message)
    workers.go()
    add_jobs(JOB)
    workers.start()

    until(lambda: is_done(JOB))
    until(lambda: not queues.short.pending_count())
    assert not harm.exists()
