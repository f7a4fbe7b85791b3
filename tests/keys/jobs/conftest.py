"""Real worker processes on the tests' own database and queue."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from keys.jobs import queues
from keys.models import ScheduledRun
from tests.support.console import ROOT
from tests.support.processes import ending_with_parent


def until(holds: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def database_url() -> str:
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    return f"postgres://{found['USER']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


class Workers:
    """Starts workers, and reads what their jobs wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        redis = settings.CACHES["default"].get("LOCATION", "")
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.keys.jobs.settings",
            "DATA_DIR": str(settings.DATA_DIR),
            "STEPS_FOLDER": str(folder),
            "DATABASE_URL": database_url(),
            "REDIS_URL": redis if "database" in settings.CACHES else "",
            "WORKER_THREADS": "2",
            "WORKER_LONG_THREADS": "1",
            "WORKER_BEAT_SECONDS": "1",
        }

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                ending_with_parent(
                    [sys.executable, "-m", "tests.keys.jobs.stepping"], signal.SIGKILL
                ),
                cwd=ROOT,
                env=self.environment | environment,
                stderr=log,
            )
        self._started.append(process)
        return process

    def suspend(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a worker between two of its writes: else it would keep SQLite's lock from all."""
        files = [Path(self.environment["DATA_DIR"]) / "queue.sqlite3"]
        if connection.vendor == "sqlite":
            files.append(Path(connection.settings_dict["NAME"]))
        stop(process)
        while not all(is_unlocked(file) for file in files if file.exists()):
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
            stop(process)

    def end_all(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    @property
    def steps(self) -> list[tuple[str, str, int]]:
        """Begin and end of each job, with its process."""
        file = self.folder / "steps.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(what, name, int(pid)) for what, name, pid in map(str.split, lines)]

    def count(self, what: str) -> Counter[str]:
        return Counter(name for said, name, _ in self.steps if said == what)

    def by(self, what: str, name: str) -> list[int]:
        """The processes that wrote it, in order."""
        return [pid for said, of, pid in self.steps if (said, of) == (what, name)]

    def go(self, name: str = "") -> None:
        (self.folder / (f"go-{name}" if name else "go")).touch()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Return when no thread runs: the signal alone lets each go on for a moment."""
    process.send_signal(signal.SIGSTOP)
    threads = Path(f"/proc/{process.pid}/task")
    until(lambda: all(state_of(thread) in "TtZX" for thread in threads.iterdir()))


def state_of(thread: Path) -> str:
    """The letter of proc(5); Z for a thread that has just ended."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def is_unlocked(file: Path) -> bool:
    database = sqlite3.connect(file, timeout=0.2, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()
    return True


def add_jobs(*names: str) -> None:
    for name in names:
        ScheduledRun.objects.create(name=name, due_at=timezone.now())


def is_done(*names: str) -> bool:
    return not ScheduledRun.objects.filter(name__in=names, due_at__isnull=False).exists()


@pytest.fixture
def workers(transactional_db: Any, tmp_path: Path) -> Iterator[Workers]:
    queues.prepare()
    for queue in (queues.short, queues.long):
        queue.flush()
    found = Workers(tmp_path)
    yield found
    found.end_all()
