"""Log formats: one event per line, as text or JSON, with tokens redacted."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from estuary_admin.observability.redaction import mask_secrets

SYSLOG = "/dev/log"  # the socket of the local syslog daemon
#: The keys of `extra=` that are written; others are dropped.
FIELDS = (
    *("request_id", "member", "method", "route", "status", "ms", "upstream_ms", "upstream_calls"),
    *("fingerprint", "reason", "head"),
)


class LineFormatter(logging.Formatter):
    """`2026-11-24T18:13:56Z INFO estuary_admin.request request status=200 …`"""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        line = f"{moment(record)} {record.levelname} {record.name} {record.getMessage()} {fields}"
        # Indent the trace: text quoted in an error must not look like a line of its own.
        lines = [line.rstrip(), *(f"    {part}" for part in trace(self, record))]
        return mask_secrets("\n".join(printable(part) for part in lines))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if lines := trace(self, record):
            line["trace"] = "\n".join(lines)
        return mask_secrets(json.dumps(line, default=str))


class MessageFilter(logging.Filter):
    """Redacts the paths in Django's messages, for handlers other than ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_secrets(record.getMessage()), ()
        return True


def printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def moment(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name: vars(record)[name] for name in FIELDS if name in vars(record)}


def trace(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """The traceback, unless the client caused it: anybody could fill the log with those."""
    is_client_error = record.name.startswith("django.security") or (
        record.name == "django.request" and record.levelno < logging.ERROR
    )
    if not record.exc_info or is_client_error:
        return []
    return formatter.formatException(record.exc_info).splitlines()


def audit_handler(stream: str) -> dict[str, Any]:
    """The handler for audit rows as JSON lines: standard output or the machine's syslog."""
    handler: dict[str, Any] = {"formatter": "bare", "filters": ["tokens"]}
    if stream == "stdout":
        return handler | {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
    if stream == "syslog":
        if not Path(SYSLOG).exists():
            raise ImproperlyConfigured(
                f"AUDIT_STREAM is 'syslog', but there is no {SYSLOG} here; set it to stdout."
            )
        return handler | {"class": "logging.handlers.SysLogHandler", "address": SYSLOG}
    return {"class": "logging.NullHandler"}


def logging_config(level: str, style: str, audit_stream: str = "") -> dict[str, Any]:
    formatter = JsonFormatter if style == "json" else LineFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}, "bare": {"format": "%(message)s"}},
        "filters": {"tokens": {"()": MessageFilter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "audit": audit_handler(audit_stream),
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.request": {"filters": ["tokens"]},
            "django.security.csrf": {"filters": ["tokens"]},
            # At DEBUG it writes whole contexts, including forms and CSRF secrets.
            "django.template": {"level": "INFO"},
            "django.server": {"handlers": [], "propagate": True},
            "estuary_admin.audit": {"handlers": ["audit"], "level": "INFO", "propagate": False},
            # At INFO it writes two lines for each task that is woken, every few seconds.
            "huey": {"level": "WARNING"},
            # At DEBUG it writes requests to the store of exports, with their signatures.
            "botocore": {"level": "WARNING"},
            "boto3": {"level": "WARNING"},
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }
