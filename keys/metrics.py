"""Numbers about Estuary, exports and keys, for the monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from estuary_admin.observability import upstream_time
from estuary_admin.observability.metrics.registry import OURS
from keys.api_keys.counts import current_counts
from keys.upstream import Endpoint

UPSTREAM_CALLS = Counter(
    "estuary_admin_upstream_calls",
    "Requests sent to Estuary, by what is asked and what came of it",
    ["endpoint", "outcome"],
    registry=OURS,
)
UPSTREAM_SECONDS = Histogram(
    "estuary_admin_upstream_seconds",
    "Time until Estuary's reply is read and understood; of an export, until it begins",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 900),
    registry=OURS,
)
EXPORTS_RUNNING = Gauge(
    "estuary_admin_exports_running",
    "Exports that this machine passes on now",
    multiprocess_mode="livesum",
    registry=OURS,
)
EXPORTS = Counter("estuary_admin_exports", "Exports that ended, by how", ["outcome"], registry=OURS)
EXPORT_BYTES = Counter("estuary_admin_export_bytes", "Bytes of exports passed on", registry=OURS)


def upstream_called(endpoint: Endpoint, outcome: str, seconds: float) -> None:
    UPSTREAM_CALLS.labels(endpoint.value, outcome).inc()
    UPSTREAM_SECONDS.labels(endpoint.value).observe(seconds)
    upstream_time.add(seconds)


class KeyCounts(Collector):
    """Read for each answer from what is kept."""

    def collect(self) -> Iterator[Metric]:
        """The gauges; an account whose list is not known is counted as such, not as empty."""
        counts = current_counts()
        yield _gauge("keys", "Keys by status, as last seen", "status", counts.by_status)
        legacy = {"": counts.legacy}
        yield _gauge("legacy_keys", "Keys that Estuary lists in clear, as last seen", "", legacy)
        yield _gauge(
            "accounts",
            "Connected members, by whether their list was seen within a day",
            "list",
            {"seen": counts.seen, "unseen": counts.unseen},
        )


def _gauge(name: str, text: str, label: str, numbers: Mapping[str, int]) -> Metric:
    metric = Metric(f"estuary_admin_{name}", text, "gauge")
    for value, number in sorted(numbers.items()):
        metric.add_sample(metric.name, {label: value} if label else {}, number)
    return metric
