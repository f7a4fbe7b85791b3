"""The audit's newest link as a metric: the monitor keeps it outside of the database."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.registry import Collector

from keys.audit import chain


class AuditHeadMetric(Collector):
    """Read for each answer; as an info metric, since a hash is not a number."""

    def collect(self) -> Iterator[Metric]:
        sequence, _, newest_hash = chain.current_head().partition(":")
        rows = Metric("estuary_admin_audit_rows", "Number of the newest audit row", "gauge")
        rows.add_sample(rows.name, {}, float(sequence))
        yield rows
        head = Metric("estuary_admin_audit_head", "Newest link of the audit's chain", "info")
        labels = {"sequence": sequence, "hash": newest_hash}
        head.add_sample("estuary_admin_audit_head_info", labels, 1)
        yield head
