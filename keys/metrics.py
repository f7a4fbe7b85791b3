"""Metrics of calls to Estuary and of exports."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from estuary_admin.observability.metrics import REGISTRY
from estuary_admin.observability.request_log import add_upstream_time
from keys.upstream import Endpoint

UPSTREAM_CALLS = Counter(
    "estuary_admin_upstream_calls",
    "Requests sent to Estuary, by what is asked and what came of it",
    ["endpoint", "outcome"],
    registry=REGISTRY,
)
UPSTREAM_SECONDS = Histogram(
    "estuary_admin_upstream_seconds",
    "Time until Estuary's reply is read and understood; of an export, until it begins",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 900),
    registry=REGISTRY,
)
EXPORTS_RUNNING = Gauge(
    "estuary_admin_exports_running",
    "Exports that this machine passes on now",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
EXPORTS = Counter(
    "estuary_admin_exports", "Exports that ended, by how", ["outcome"], registry=REGISTRY
)
EXPORT_BYTES = Counter(
    "estuary_admin_export_bytes", "Bytes of exports passed on", registry=REGISTRY
)


def upstream_called(endpoint: Endpoint, outcome: str, seconds: float) -> None:
    """Count one call to Estuary, with its outcome and its time in seconds."""
    UPSTREAM_CALLS.labels(endpoint.value, outcome).inc()
    UPSTREAM_SECONDS.labels(endpoint.value).observe(seconds)
    add_upstream_time(seconds)
