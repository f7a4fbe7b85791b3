from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db.models.signals import post_migrate

from estuary_admin.observability.metrics import LIVE_COLLECTORS


class KeysConfig(AppConfig):
    name = "keys"

    def ready(self) -> None:
        from estuary_admin.secrets.sealing import sealing_keys
        from estuary_admin.web.health import register_dependency
        from keys import signals  # noqa: F401 - connects the receivers
        from keys.api_keys.counts import KeyCounts, UnfinishedCreations
        from keys.audit.metrics import AuditHeadMetric
        from keys.jobs import status as worker_status
        from keys.metrics import upstream_called
        from keys.node_state import node_state
        from keys.policy.load import current_policy
        from keys.steps import call_answered
        from keys.upstream import EstuaryClient, observers

        try:
            # A wrong address stops the start, not the first member who connects.
            EstuaryClient(settings.ESTUARY_API_URL.geturl(), "", proxy=settings.ESTUARY_HTTP_PROXY)
        except ValueError as error:
            raise ImproperlyConfigured(f"ESTUARY_API_URL is wrong. {error}") from None
        observers.connect(upstream_called)
        observers.connect(call_answered)
        register_dependency("estuary", node_state, is_required=False)
        LIVE_COLLECTORS.extend(
            [KeyCounts(), UnfinishedCreations(), AuditHeadMetric(), worker_status.WorkerNumbers()]
        )
        register_dependency("worker", worker_status.readiness, is_required=False)
        if settings.SENTRY_DSN:
            from estuary_admin.observability import crash_reports

            observers.connect(crash_reports.upstream_called)
        current_policy()  # a wrong value stops the start, not the first member who creates a key
        post_migrate.connect(make_cache_table, sender=self)
        post_migrate.connect(make_queue_tables, sender=self)
        if settings.TOKEN_SEALING_KEYS:
            sealing_keys()  # a wrong key stops the start, not the first member who connects


def make_cache_table(using: str, **_: Any) -> None:
    """`migrate` is then all the set-up that a database needs."""
    call_command("createcachetable", database=using, verbosity=0)


def make_queue_tables(**_: Any) -> None:
    """Before a worker runs, so that a page can already leave it a wake-up."""
    from keys.jobs import queues

    queues.prepare()
