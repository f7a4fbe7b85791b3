"""The background worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from estuary_admin.storage.backups import hold_database
from keys.jobs import tasks  # noqa: F401 - registers the tasks with the queues
from keys.jobs.consumers import WorkerProcess


class Command(BaseCommand):
    help = "Do the background work until SIGTERM; as many as you like may run, on any machine."

    def handle(self, *_: Any, **__: Any) -> None:
        hold_database()
        WorkerProcess().run()
