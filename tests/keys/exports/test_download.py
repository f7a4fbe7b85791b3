"""The lease of a long export is renewed, and that of a dead process runs out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.contrib.auth.models import User
from django.db import OperationalError

from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.exports import download as exports
from keys.exports import leases
from keys.exports.download import is_running, open_download
from keys.models import ExportLease
from keys.sandbox import Sandbox
from tests.conftest import connect
from tests.keys.evidence import audited, last_row


def actor_of(member: User) -> Actor:
    return Actor(member, "192.0.2.1", "made-by-a-test")


def test_a_dead_process_frees_the_account_after_two_minutes(
    alice: User, node: Sandbox, token: str
) -> None:
    stored = connect(alice, token)
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False) as clock:
        download = open_download(actor_of(alice), stored)

        clock.shift(timedelta(seconds=119))
        assert is_running(stored)
        clock.shift(timedelta(seconds=2))
        assert not is_running(stored)
    download.close()


def test_a_browser_that_leaves_half_way_frees_the_account(
    alice: User, node: Sandbox, token: str
) -> None:
    stored = connect(alice, node.add_key(node.add_user("rich", contents=2000)))
    download = open_download(actor_of(alice), stored)
    piece = next(iter(download))

    download.close()
    download.close()

    assert not is_running(stored)
    assert audited()[-2:] == [("export:started", "started"), ("export:failed", "failed")]
    assert last_row(Action.EXPORT_FAILED).detail == {"bytes": len(piece), "reason": "left"}


def test_a_long_export_keeps_its_lease(
    alice: User, node: Sandbox, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(exports, "RENEWAL", 0)  # renewed with every piece
    stored = connect(alice, node.add_key(node.add_user("rich", contents=2000)))
    download = open_download(actor_of(alice), stored)
    ExportLease.objects.update(until=datetime.now(UTC))

    pieces = iter(download)
    next(pieces), next(pieces)

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=60), tick=False):
        assert is_running(stored)
    download.close()
    assert not is_running(stored)


def test_a_database_that_is_away_for_a_moment_does_not_break_a_long_export(
    alice: User, node: Sandbox, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(exports, "RENEWAL", 0)
    stored = connect(alice, node.add_key(node.add_user("rich", contents=2000)))

    def fail(*_: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(leases, "renew", fail)

    download = open_download(actor_of(alice), stored)
    size = sum(map(len, download))

    assert last_row(Action.EXPORT_FINISHED).detail["bytes"] == size
    assert "export_lease_not_renewed" in caplog.text
