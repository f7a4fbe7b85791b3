"""What of a crash may be told: a report is made anew, from what is known to hold no secret."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest
from sentry_sdk.types import Breadcrumb, Event, Hint

from estuary_admin.observability.logging import fields_of
from keys.upstream.redaction import redact

OURS = "estuary_admin"
KEPT = {"event_id", "timestamp", "level", "platform", "logger", "transaction"}
KEPT |= {"release", "environment", "server_name", "sdk"}
OF_FRAMES = {"filename", "abs_path", "module", "function", "lineno", "in_app"}
OF_FRAMES |= {"context_line", "pre_context", "post_context"}  # lines of the source, no values
LONGEST = 500


def rebuilt(event: Event, hint: Hint) -> Event | None:
    """The report, with nothing in it but what is named here; None if it is not worth one."""
    record: logging.LogRecord | None = hint.get("log_record")
    is_ours = record is not None and record.name.startswith(OURS)
    if not (event.get("exception") or is_ours):
        return None  # what Django says of a status, with the path in it
    made: Any = {name: value for name, value in event.items() if name in KEPT}
    if values := event.get("exception", {}).get("values"):
        made["exception"] = {"values": [_exception(one) for one in values]}
    if record:
        # Our own messages are fixed words, those of others quote what they were given.
        words = str(record.msg) if is_ours else record.name
        made["logentry"] = {"message": redact(words)}
        made["tags"] = {name: redact(str(value)) for name, value in _facts(record).items()}
    if crumbs := _crumbs_of(event):
        made["breadcrumbs"] = {"values": crumbs}
    return made  # type: ignore[no-any-return]


def own_breadcrumb(crumb: Breadcrumb, hint: dict[str, Any]) -> Breadcrumb | None:
    """What our own log says on the way; others write paths."""
    if not str(crumb.get("category", "")).startswith(OURS):
        return None
    record = hint.get("log_record")
    facts = fields_of(record) if record else crumb.get("data", {})
    told = {name: redact(str(value)) for name, value in facts.items()}
    return {**crumb, "message": redact(str(crumb.get("message", ""))), "data": told}


def _exception(given: dict[str, Any]) -> dict[str, Any]:
    frames = (given.get("stacktrace") or {}).get("frames") or []
    kept = [{name: frame[name] for name in OF_FRAMES & frame.keys()} for frame in frames]
    return {
        "type": given.get("type"),
        "module": given.get("module"),
        "value": redact(str(given.get("value")))[:LONGEST],
        "stacktrace": {"frames": kept},
    }


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """From our own lines their fields; from Django's the request that it hangs on them."""
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


def _crumbs_of(event: Event) -> list[Any]:
    found = event.get("breadcrumbs") or {}
    return list(found.get("values", [])) if isinstance(found, dict) else []
