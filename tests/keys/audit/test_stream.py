"""Committed rows reach a collector as JSON lines."""

from __future__ import annotations

import json
import logging
import socket
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured

from estuary_admin.observability import logging as own_logging
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    monkeypatch.setattr(logging.getLogger("estuary_admin.audit"), "handlers", [Keeping()])
    return found


@pytest.mark.django_db(transaction=True)
def test_a_committed_row_is_one_line(lines: list[str], settings: Any) -> None:
    settings.AUDIT_STREAM = "stdout"
    member = User.objects.create_user("alice")

    entry = record_action(Actor(member, "192.0.2.1", "r"), Action.KEY_CREATED, token_hash="h" * 43)

    [line] = lines
    told = json.loads(line)
    assert (told["action"], told["owasp"]) == ("key:created", "authn_token_created")
    assert (told["actor"], told["hash"]) == ("alice", entry.row_hash)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_streamed_unless_asked_for(lines: list[str]) -> None:
    record_action(Actor(None, "", ""), Action.SIGN_IN_FAILED)

    assert lines == []


def test_syslog_without_a_socket_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_logging, "SYSLOG", "/nowhere/log")

    with pytest.raises(ImproperlyConfigured, match="AUDIT_STREAM is 'syslog'"):
        own_logging.logging_config("INFO", "text", "syslog")


def test_syslog_gets_each_row_as_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(place)
        monkeypatch.setattr(own_logging, "SYSLOG", place)
        found = own_logging.audit_handler("syslog")
        handler = SysLogHandler(found["address"])
        try:
            handler.emit(logging.makeLogRecord({"msg": '{"action": "key:created"}'}))
            received = daemon.recv(1000)
        finally:
            handler.close()

    assert found["class"] == "logging.handlers.SysLogHandler"
    assert b'{"action": "key:created"}' in received


def test_stdout_gets_a_handler_of_its_own() -> None:
    config = own_logging.logging_config("INFO", "text", "stdout")

    assert config["handlers"]["audit"]["stream"] == "ext://sys.stdout"
    assert config["loggers"]["estuary_admin.audit"]["propagate"] is False
