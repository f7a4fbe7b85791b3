"""Log lines: one event per line, as text or JSON, without tokens."""

from __future__ import annotations

import json
import logging
import logging.config
from typing import Any

import pytest
from django.conf import settings as configured

from estuary_admin.observability.logging import JsonFormatter, LineFormatter, logging_config

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"
BOTH = pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])


def record_of(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    record = logging.LogRecord("estuary_admin.keys", logging.INFO, "x.py", 1, message, args, None)
    record.created = 1_764_000_000.5
    vars(record).update(extra)
    return record


def failed(message: str) -> logging.LogRecord:
    error = ValueError(message)
    record = record_of("broken")
    record.exc_info = (ValueError, error, None)
    return record


def test_a_line_has_time_event_and_fields() -> None:
    line = LineFormatter().format(record_of("request", status=200, ms=7, color="blue"))

    assert line == "2025-11-24T16:00:00.500Z INFO estuary_admin.keys request status=200 ms=7"


def test_json_has_the_same_fields() -> None:
    line = JsonFormatter().format(record_of("took %s", "long", status=200, color="blue"))

    assert json.loads(line) == {
        "time": "2025-11-24T16:00:00.500Z",
        "level": "INFO",
        "logger": "estuary_admin.keys",
        "event": "took long",
        "status": 200,
    }


@BOTH
def test_no_token_is_in_a_line(formatter: logging.Formatter) -> None:
    line = formatter.format(record_of("saw %s", TOKEN, reason=f"because of {TOKEN}"))

    assert "EST6" not in line
    assert line.count("EST") == 2


@BOTH
def test_no_token_is_in_a_trace(formatter: logging.Formatter) -> None:
    line = formatter.format(failed(f"cannot use {TOKEN}"))

    assert "ValueError: cannot use EST" in line
    assert "EST6" not in line


@BOTH
def test_nobody_can_forge_a_line(formatter: logging.Formatter) -> None:
    forged = "x\n2025-11-24T16:00:00.500Z INFO estuary_admin.request\r\x1b[2K\u2028"

    line = formatter.format(record_of("%s", forged, reason=forged))

    assert line.splitlines() == [line]
    assert "\x1b" not in line


@BOTH
def test_nobody_can_forge_a_line_by_an_error(formatter: logging.Formatter) -> None:
    line = formatter.format(failed("x\n2025-11-24T16:00:00.500Z INFO forged\x1b[2K"))

    assert [part for part in line.splitlines() if part.startswith("2025")] in (
        [line.split("\n")[0]],
        [],
    )
    assert "\x1b" not in line


def test_everything_goes_to_one_handler_in_the_configured_format() -> None:
    text, structured = logging_config("INFO", "text"), logging_config("ERROR", "json")

    assert text["formatters"]["line"]["()"] is LineFormatter
    assert structured["formatters"]["line"]["()"] is JsonFormatter
    assert structured["root"] == {"handlers": ["stderr"], "level": "ERROR"}
    assert text == configured.LOGGING
