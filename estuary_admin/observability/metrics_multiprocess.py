"""gunicorn hooks for the folder in which its processes share their metrics."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def on_starting(server: Any) -> None:
    """Make an empty folder before the first process imports prometheus_client."""
    server.metrics_folder = tempfile.mkdtemp(prefix="estuary-admin-metrics-")
    os.environ.update({FOLDER_VARIABLE: server.metrics_folder})


def child_exit(_server: Any, worker: Any) -> None:
    """Drop the gauges of a process that ended; its counters stay in the sum."""
    from prometheus_client.multiprocess import mark_process_dead  # reads the variable on import

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    shutil.rmtree(server.metrics_folder, ignore_errors=True)
