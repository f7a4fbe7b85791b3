"""The metrics, and `/metrics`, which reports their sum over all processes of a machine.

Under gunicorn each process writes its numbers to files in a shared folder (see
`metrics_multiprocess`), and the process that answers adds them up. Otherwise there is one process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import DatabaseError
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Counter, Metric, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from estuary_admin import VERSION
from estuary_admin.secrets.shared_secrets import is_one_of
from estuary_admin.storage.backups import last_backup
from estuary_admin.web.client_address import client_address, comes_from_proxy, is_within

logger = logging.getLogger("estuary_admin.metrics")

REGISTRY = CollectorRegistry()
#: Computed for each answer, from the database; other apps append theirs.
LIVE_COLLECTORS: list[Collector] = []

SIGN_INS = Counter("estuary_admin_sign_ins", "Sign-ins, by outcome", ["outcome"], registry=REGISTRY)


@receiver(user_logged_in)
def on_sign_in(**_: Any) -> None:
    SIGN_INS.labels("signed-in").inc()


@receiver(user_login_failed)
def on_failed_sign_in(request: HttpRequest | None, **_: Any) -> None:
    # A signed-in member who is asked for the password again does not sign in.
    if not getattr(getattr(request, "user", None), "is_authenticated", False):
        SIGN_INS.labels("refused").inc()


class AllMetrics(Collector):
    def collect(self) -> Iterator[Metric]:
        is_one_process = values.ValueClass is values.MutexValue
        yield from (REGISTRY if is_one_process else _sum_of_processes()).collect()
        build = Metric("estuary_admin_build", "The running version", "info")
        build.add_sample("estuary_admin_build_info", {"version": VERSION}, 1)
        yield build
        backup = Metric(
            "estuary_admin_last_backup_timestamp_seconds",
            "When this machine last made a backup; 0 for never",
            "gauge",
        )
        made = last_backup()
        backup.add_sample(backup.name, {}, made.timestamp() if made else 0)
        yield backup
        for collector in LIVE_COLLECTORS:
            try:
                yield from collector.collect()
            except DatabaseError:  # leave them out: zero would be false
                logger.warning("metrics_incomplete", exc_info=True)


def _sum_of_processes() -> Collector:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    # 404 rather than 403: others do not learn that the page exists.
    if not (_has_token(request) or _is_from_monitor(request)):
        raise Http404
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(AllMetrics()), content_type=content_type)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and is_one_of(given.strip(), settings.METRICS_TOKENS)


def _is_from_monitor(request: HttpRequest) -> bool:
    # An unknown proxy hides the client's address behind its own.
    is_forwarded = {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"} & request.META.keys()
    if is_forwarded and not comes_from_proxy(request):
        return False
    return is_within(client_address(request), settings.METRICS_ALLOWED)
