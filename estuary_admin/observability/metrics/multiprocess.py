"""For gunicorn.conf.py: the folder in which its processes keep the numbers they share."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def on_starting(server: Any) -> None:
    """An empty one for each start, made before the first process that counts."""
    server.metrics_folder = tempfile.mkdtemp(prefix="estuary-admin-metrics-")
    os.environ.update({FOLDER: server.metrics_folder})


def child_exit(_server: Any, worker: Any) -> None:
    """What a process was doing ends with it; what it has counted stays in the sum."""
    from prometheus_client.multiprocess import mark_process_dead  # only after the folder is named

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    shutil.rmtree(server.metrics_folder, ignore_errors=True)
