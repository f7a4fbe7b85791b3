"""`manage.py worker` with jobs whose steps a test can watch, hold up and count.

A row named `short:…` or `long:…` is one job. It writes `begin`, waits for a file that lets it go
on, and writes `end`; both lines name the process. A file that names it first ends its thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(os.environ["STEPS_FOLDER"])


#: Not `time.sleep`, which fails under a faked clock that jumps.
pause = threading.Event()


def note(what: str, name: str) -> None:
    with (FOLDER / "steps.txt").open("a") as file:
        file.write(f"{what} {name} {os.getpid()}\n")


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from keys.jobs import claims, consumers, queues
    from keys.jobs.tasks import always
    from keys.models import ScheduledRun

    def step(row: ScheduledRun) -> None:
        note("begin", row.name)
        if (ending := FOLDER / f"end-thread-{row.name}").exists():
            ending.unlink()
            raise SystemExit
        while not ((FOLDER / f"go-{row.name}").exists() or (FOLDER / "go").exists()):
            pause.wait(0.02)
        claims.confirm(row)
        note("end", row.name)

    def work_of(kind: str) -> Callable[[], None]:
        def work() -> None:
            note("wake", kind)
            claims.work_off(ScheduledRun.objects.filter(name__startswith=f"{kind}:"), step)

        return work

    for kind, queue in {"short": queues.short, "long": queues.long}.items():
        queue.periodic_task(always, name=f"{kind}_steps")(work_of(kind))

    consumers.HEALTH_SECONDS = 0.2
    call_command("worker")


if __name__ == "__main__":
    main()
