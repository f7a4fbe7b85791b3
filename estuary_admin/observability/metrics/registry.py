"""Our metrics, and their sum over all processes of this machine.

With gunicorn each process keeps its numbers in files of a common folder (see `server`), and the one
that is asked adds them up. Without, there is one process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import DatabaseError
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from estuary_admin import VERSION

logger = logging.getLogger("estuary_admin.metrics")

OURS = CollectorRegistry()
#: Asked anew for each answer, not counted by anybody.
LIVE: list[Collector] = []

REQUESTS = Counter(
    "estuary_admin_requests",
    "Requests answered, by route pattern",
    ["method", "route", "status"],
    registry=OURS,
)
REQUEST_SECONDS = Histogram(
    "estuary_admin_request_seconds",
    "Time until an answer begins",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=OURS,
)
SIGN_INS = Counter(
    "estuary_admin_sign_ins", "Sign-ins, by what came of them", ["outcome"], registry=OURS
)

METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request. Whatever a client can make up stands for one: labels are kept for ever."""
    method = method if method in METHODS else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


def _shared() -> Collector:
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


class Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        is_alone = values.ValueClass is values.MutexValue
        yield from (OURS if is_alone else _shared()).collect()
        about = Metric("estuary_admin_build", "The version that runs", "info")
        about.add_sample("estuary_admin_build_info", {"version": VERSION}, 1)
        yield about
        for live in LIVE:
            try:
                yield from live.collect()
            except DatabaseError:  # left out: nought would be a lie
                logger.warning("metrics_incomplete", exc_info=True)


def exposition(accept: str) -> tuple[bytes, str]:
    """All of it, and its content type, in the newest format that the monitor takes."""
    encode, content_type = choose_encoder(accept)
    return encode(Everything()), content_type
