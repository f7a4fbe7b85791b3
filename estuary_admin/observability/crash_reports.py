"""Crashes told to a Sentry, as far as they are ours: what people sent never leaves with them.

None of Sentry's own integrations for Django or HTTP is used. They collect requests, queries and
addresses, each of which may hold a token; a report here is made anew from what is known to be safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sentry_sdk
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
from sentry_sdk.utils import BadDsn, Dsn

from estuary_admin import VERSION
from estuary_admin.environment import is_loopback
from estuary_admin.observability.crash_scrubbing import OURS, own_breadcrumb, rebuilt

if TYPE_CHECKING:
    from sentry_sdk._types import DataCollectionUserOptions

NOTHING: DataCollectionUserOptions = {
    "user_info": False,
    "cookies": {"mode": "off"},
    "http_headers": {"request": {"mode": "off"}},
    "http_bodies": [],
    "url_query_params": {"mode": "off"},
    "database_query_data": False,
    "queues": False,
    "stack_frame_variables": False,
}


def start(dsn: str, environment: str) -> None:
    check(dsn)
    sentry_sdk.init(
        dsn=dsn,
        release=f"estuary-admin@{VERSION}",
        environment=environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            AtexitIntegration(callback=lambda *_: None),
            DedupeIntegration(),
            ExcepthookIntegration(),
            LoggingIntegration(sentry_logs_level=None),
        ],
        data_collection=NOTHING,  # which is what `send_default_pii=False` is called now
        max_request_body_size="never",
        before_send=rebuilt,
        before_breadcrumb=own_breadcrumb,
        auto_session_tracking=False,
        send_client_reports=False,
        trace_propagation_targets=[],
    )
    # Before Sentry cuts what is long: half a token would not be known for one.
    sentry_sdk.get_global_scope().add_event_processor(rebuilt)
    ignore_logger("django.security.DisallowedHost")  # whoever tries names on us is no crash


def check(dsn: str) -> None:
    try:
        place = Dsn(dsn)
    except BadDsn:
        place = None
    if place is None or not (place.scheme == "https" or is_loopback(place.host)):
        raise ImproperlyConfigured("SENTRY_DSN must look like https://KEY@sentry.example.com/1.")


def call_made(endpoint: str, outcome: str, seconds: float) -> None:
    """Leave a mark of a call to Estuary: by what it asks, not by where."""
    sentry_sdk.add_breadcrumb(
        category=f"{OURS}.upstream",
        message=str(endpoint),
        data={"outcome": outcome, "ms": round(seconds * 1000)},
    )


class OwnTrailMiddleware:
    """Keeps what one request left on its way out of the report about another."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            return self.get_response(request)
