"""Sends crash reports to Sentry, without request data.

None of Sentry's integrations for Django or HTTP is used: they collect requests, queries and
addresses, and any of them may contain a token. A report is built from fields known to be safe.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sentry_sdk
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
from sentry_sdk.types import Breadcrumb, Event, Hint
from sentry_sdk.utils import BadDsn, Dsn

from estuary_admin import VERSION
from estuary_admin.environment import is_loopback
from estuary_admin.observability.logging import fields_of
from estuary_admin.observability.redaction import mask_secrets

if TYPE_CHECKING:
    from sentry_sdk._types import DataCollectionUserOptions

COLLECT_NOTHING: DataCollectionUserOptions = {
    "user_info": False,
    "cookies": {"mode": "off"},
    "http_headers": {"request": {"mode": "off"}},
    "http_bodies": [],
    "url_query_params": {"mode": "off"},
    "database_query_data": False,
    "queues": False,
    "stack_frame_variables": False,
}
OWN_LOGGERS = "estuary_admin"
EVENT_FIELDS = {"event_id", "timestamp", "level", "platform", "logger", "transaction"}
EVENT_FIELDS |= {"release", "environment", "server_name", "sdk"}
FRAME_FIELDS = {"filename", "abs_path", "module", "function", "lineno", "in_app"}
FRAME_FIELDS |= {"context_line", "pre_context", "post_context"}  # source lines, not values
MAX_MESSAGE_LENGTH = 500


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
        data_collection=COLLECT_NOTHING,  # replaces the old `send_default_pii=False`
        max_request_body_size="never",
        before_send=safe_event,
        before_breadcrumb=safe_breadcrumb,
        auto_session_tracking=False,
        send_client_reports=False,
        trace_propagation_targets=[],
    )
    # Redact before Sentry truncates: half a token is not recognised as one.
    sentry_sdk.get_global_scope().add_event_processor(safe_event)
    ignore_logger("django.security.DisallowedHost")  # a wrong Host header is not a crash


def check(dsn: str) -> None:
    try:
        parsed = Dsn(dsn)
    except BadDsn:
        parsed = None
    if parsed is None or not (parsed.scheme == "https" or is_loopback(parsed.host)):
        raise ImproperlyConfigured("SENTRY_DSN must look like https://KEY@sentry.example.com/1.")


def upstream_called(endpoint: str, outcome: str, seconds: float) -> None:
    """Record a call to Estuary as a breadcrumb: its kind, never its address."""
    sentry_sdk.add_breadcrumb(
        category=f"{OWN_LOGGERS}.upstream",
        message=str(endpoint),
        data={"outcome": outcome, "ms": round(seconds * 1000)},
    )


class RequestBreadcrumbsMiddleware:
    """Keeps the breadcrumbs of one request out of the report about another."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            return self.get_response(request)


def safe_event(event: Event, hint: Hint) -> Event | None:
    """A new event with the listed fields only; None if it is not worth reporting."""
    record: logging.LogRecord | None = hint.get("log_record")
    is_own = record is not None and record.name.startswith(OWN_LOGGERS)
    if not (event.get("exception") or is_own):
        return None  # Django logs error statuses with the request's path
    safe: Any = {name: value for name, value in event.items() if name in EVENT_FIELDS}
    if values := event.get("exception", {}).get("values"):
        safe["exception"] = {"values": [_safe_exception(each) for each in values]}
    if record:
        # Our own messages are constant; those of libraries quote their arguments.
        message = str(record.msg) if is_own else record.name
        safe["logentry"] = {"message": mask_secrets(message)}
        safe["tags"] = {name: mask_secrets(str(value)) for name, value in _tags(record).items()}
    if breadcrumbs := _breadcrumbs(event):
        safe["breadcrumbs"] = {"values": breadcrumbs}
    return safe  # type: ignore[no-any-return]


def safe_breadcrumb(breadcrumb: Breadcrumb, hint: dict[str, Any]) -> Breadcrumb | None:
    """Our own log lines; those of libraries contain paths."""
    if not str(breadcrumb.get("category", "")).startswith(OWN_LOGGERS):
        return None
    record = hint.get("log_record")
    fields = fields_of(record) if record else breadcrumb.get("data", {})
    data = {name: mask_secrets(str(value)) for name, value in fields.items()}
    return {**breadcrumb, "message": mask_secrets(str(breadcrumb.get("message", ""))), "data": data}


def _safe_exception(given: dict[str, Any]) -> dict[str, Any]:
    frames = (given.get("stacktrace") or {}).get("frames") or []
    safe = [{name: frame[name] for name in FRAME_FIELDS & frame.keys()} for frame in frames]
    return {
        "type": given.get("type"),
        "module": given.get("module"),
        "value": mask_secrets(str(given.get("value")))[:MAX_MESSAGE_LENGTH],
        "stacktrace": {"frames": safe},
    }


def _tags(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of our own log lines; for Django's, facts about the request attached to them."""
    request = getattr(record, "request", None)
    if not isinstance(request, HttpRequest):
        return fields_of(record)
    match = request.resolver_match
    return {
        "request_id": getattr(request, "request_id", "-"),
        "method": request.method,
        "route": match.route if match else "-",
        "member": getattr(getattr(request, "_cached_user", None), "pk", None) or "-",
    }


def _breadcrumbs(event: Event) -> list[Any]:
    found = event.get("breadcrumbs") or {}
    return list(found.get("values", [])) if isinstance(found, dict) else []
