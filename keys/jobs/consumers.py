"""The process of `manage.py worker`: a consumer for each queue, and a heartbeat."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from huey.api import Huey, Task
from huey.consumer import Consumer, Scheduler

from keys.jobs import queues, workers

logger = logging.getLogger("estuary_admin.jobs")

#: Seconds between two looks whether each thread still runs.
HEALTH_SECONDS = 10.0
SILENCE_SECONDS = 60
DECLARED_DEAD = 75  # the exit status: try again (sysexits.h, EX_TEMPFAIL)


class LeasedScheduler(Scheduler):
    """Wakes periodic tasks only while this worker holds the lease: huey's would in every worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.periodic_task_seconds = settings.WORKER_PERIOD_SECONDS

    def enqueue_periodic_tasks(self, now: datetime | None) -> None:
        try:
            if workers.holds_scheduler_lease():
                self._wake_all(now)
        except Exception as error:
            # An exception would end this thread. Without the database there is no work to find.
            logger.warning("scheduling_failed", extra={"reason": type(error).__name__})
        finally:
            close_old_connections()

    def _wake_all(self, now: datetime | None) -> None:
        tasks = self.huey.read_periodic(now)
        try:
            if self.huey.pending_count() >= len(tasks):
                return  # all threads are busy, and the wake-ups of before still wait
            for task in tasks:
                self.huey.enqueue(task)
        except Exception as error:
            logger.warning("queue_away", extra={"reason": type(error).__name__})
            for task in tasks:
                self._run_without_queue(task)

    def _run_without_queue(self, task: Task) -> None:
        """Run a task in a thread of its own, one at a time: work must not wait for Redis."""
        name = f"without-queue-{task.name}"
        if name not in {thread.name for thread in threading.enumerate()}:
            threading.Thread(target=_run, args=(task,), name=name, daemon=True).start()


class QueueConsumer(Consumer):
    """The threads of one queue; signals are for the process, which has two."""

    scheduler_class = LeasedScheduler

    def _set_signal_handlers(self) -> None:
        pass


class SeldomFilter(logging.Filter):
    """Lets huey say once a minute that its queue cannot be read; each thread says it each time."""

    MESSAGES = ("Error reading from queue", "Error reading schedule.")

    def __init__(self) -> None:
        super().__init__()
        self._said = -float(SILENCE_SECONDS)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg not in self.MESSAGES:
            return True
        now = time.monotonic()
        if now - self._said < SILENCE_SECONDS:
            return False
        self._said = now
        kind = record.exc_info[0] if record.exc_info else None
        record.msg, record.exc_info = "queue_unreadable", None
        record.reason = kind.__name__ if kind else ""
        return True


class WorkerProcess:
    """Runs until SIGTERM or SIGINT, then lets running jobs end for a while."""

    def __init__(self) -> None:
        self._consumers = [
            _consumer(queues.short, settings.WORKER_THREADS),
            _consumer(queues.long, settings.WORKER_LONG_THREADS),
        ]

    def run(self) -> None:
        queues.prepare()
        for name in ("Worker", "Scheduler"):
            logging.getLogger(f"huey.consumer.{name}").addFilter(SeldomFilter())
        worker = workers.register()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        heartbeat = workers.Heartbeat(worker, when_lost=_end_at_once)
        heartbeat.start()
        for consumer in self._consumers:
            consumer.start()
        logger.info("worker_started", extra={"reason": str(worker.pk)})
        while not workers.stop_requested.wait(HEALTH_SECONDS):
            for consumer in self._consumers:
                consumer.check_worker_health()
        self._end(heartbeat)

    def _stop(self, number: int, _frame: Any) -> None:
        if workers.stop_requested.is_set():  # a second signal: now
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        workers.stop_requested.set()

    def _end(self, heartbeat: workers.Heartbeat) -> None:
        """Wait for running jobs, for at most WORKER_GRACEFUL_TIMEOUT; then free what is claimed."""
        logger.info("worker_stopping")
        end = time.monotonic() + settings.WORKER_GRACEFUL_TIMEOUT
        for consumer in self._consumers:
            consumer.shutdown_timeout = max(0.0, end - time.monotonic())
            consumer.stop(graceful=True)
        heartbeat.end()
        workers.unregister()
        logger.info("worker_stopped")


def _consumer(queue: Huey, threads: int) -> QueueConsumer:
    for hook in (queue.pre_execute, queue.post_execute):
        hook(name="connections")(lambda *_: close_old_connections())
    # Without Redis a thread looks for wake-ups itself, once a second when there were none.
    return QueueConsumer(queue, workers=threads, max_delay=1.0)


def _run(task: Task) -> None:
    try:
        task.execute()  # `huey.execute` would ask the queue whether the task was called off
    except Exception:
        logger.exception("task_failed", extra={"reason": task.name})
    finally:
        close_old_connections()


def _end_at_once() -> None:
    """The others think this process dead and do its work: nothing more may be done here."""
    logger.critical("worker_was_declared_dead")
    logging.shutdown()
    os._exit(DECLARED_DEAD)
