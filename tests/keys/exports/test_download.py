"""The lease of an export: renewed by time, released at its end, expired after a crash."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import OperationalError, connection

from estuary_admin.web import shutdown
from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.exports import leases, running
from keys.exports.download import (
    Download,
    ExportInterrupted,
    is_running,
    open_download,
    request_stop,
)
from keys.exports.leases import LeaseTaken
from keys.exports.running import open_export
from keys.models import ExportLease, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.token.stored_tokens import client_for
from keys.upstream import Export
from tests.conftest import connect
from tests.keys.evidence import audited, last_row


def actor_of(member: User) -> Actor:
    return Actor(member, "192.0.2.1", "made-by-a-test")


@pytest.fixture
def stored(alice: User, node: Sandbox) -> StoredToken:
    return connect(alice, node.add_key(node.add_user("rich", contents=2000)))


@pytest.fixture
def watched(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The watching thread looks often, and leases are short; it shares the database."""
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(running, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(leases, "LEASE_SECONDS", 1.0)
    yield
    until(lambda: running.watch._thread is None)
    cache.clear()  # its table is none of Django's models, so it would outlive the test


def until(is_reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not is_reached():
        assert time.monotonic() < end, "the condition was never reached"
        time.sleep(0.02)


class Opening(threading.Thread):
    """Opens an export in a thread of its own, as a request does."""

    def __init__(self, member: User, stored: StoredToken) -> None:
        super().__init__()
        self._member, self._stored = member, stored
        self.download: Download | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.download = open_download(actor_of(self._member), self._stored)
        except Exception as error:  # the test looks at it
            self.error = error
        finally:
            connection.close()


def test_a_dead_process_frees_the_account_after_half_a_minute(
    alice: User, stored: StoredToken
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        lease = leases.take(actor_of(alice), stored.token_hash)

        clock.shift(timedelta(seconds=29))
        assert is_running(stored)
        clock.shift(timedelta(seconds=2))
        assert not is_running(stored)
    leases.release(lease)


def test_a_browser_that_leaves_half_way_frees_the_account(alice: User, stored: StoredToken) -> None:
    download = open_download(actor_of(alice), stored)
    next(iter(download))

    download.close()
    download.close()

    assert not is_running(stored)
    assert audited()[-2:] == [("export:started", "started"), ("export:failed", "failed")]
    assert last_row(Action.EXPORT_FAILED).detail["reason"] == "left"


@pytest.mark.usefixtures("watched")
def test_the_lease_is_renewed_while_estuary_builds_the_document(
    alice: User, stored: StoredToken, node: Sandbox
) -> None:
    node.set_fault("export", Fault("delay", seconds=3))
    first = Opening(alice, stored)
    until(lambda: is_running(stored))
    before = ExportLease.objects.get().until

    until(lambda: ExportLease.objects.get().until > before + timedelta(seconds=1.5))
    with pytest.raises(LeaseTaken):
        open_download(actor_of(alice), stored)

    first.join()
    assert first.download
    first.download.close()
    assert not is_running(stored)


@pytest.mark.usefixtures("watched")
def test_the_lease_is_renewed_while_a_reader_takes_nothing(
    alice: User, stored: StoredToken
) -> None:
    download = open_download(actor_of(alice), stored)
    next(iter(download))
    before = ExportLease.objects.get().until

    until(lambda: ExportLease.objects.get().until > before + timedelta(seconds=1.5))

    download.close()


@pytest.mark.usefixtures("watched")
def test_a_reader_that_takes_nothing_is_cut(
    alice: User, stored: StoredToken, settings: Any
) -> None:
    settings.EXPORT_IDLE = 0.2
    cuts: list[str] = []
    download = open_download(actor_of(alice), stored, lambda: cuts.append("cut"))
    pieces = iter(download)
    next(pieces)

    until(lambda: bool(cuts))

    assert not is_running(stored)
    row = last_row(Action.EXPORT_FAILED)
    assert (row.outcome, row.detail["reason"]) == ("failed", "stalled")
    with pytest.raises(ExportInterrupted):
        next(pieces)
    download.close()
    assert cuts == ["cut"]


@pytest.mark.usefixtures("watched")
def test_a_slow_reader_that_takes_something_is_not_cut(
    alice: User, stored: StoredToken, settings: Any
) -> None:
    settings.EXPORT_IDLE = 5
    download = open_download(actor_of(alice), stored)

    for _ in download:
        time.sleep(0.1)

    assert last_row(Action.EXPORT_FINISHED).outcome == "done"


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("is_waiting", [True, False])
def test_its_owner_can_stop_an_export(
    alice: User, stored: StoredToken, node: Sandbox, is_waiting: bool
) -> None:
    if is_waiting:
        node.set_fault("export", Fault("delay", seconds=20))
    opening = Opening(alice, stored)
    until(lambda: is_running(stored))
    if not is_waiting:
        opening.join()

    request_stop(actor_of(alice), leases.stoppable_by(alice).get())

    until(lambda: not is_running(stored))
    opening.join()
    if is_waiting:
        assert isinstance(opening.error, ExportInterrupted)
    else:
        assert opening.download
        with pytest.raises(ExportInterrupted):
            list(opening.download)
    assert audited()[-3:] == [
        ("export:started", "started"),
        ("export:stop-requested", "started"),
        ("export:cancelled", "done"),
    ]


@pytest.mark.usefixtures("watched")
def test_a_process_that_ends_releases_the_lease_and_ends_the_record(
    alice: User, stored: StoredToken, node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.set_fault("export", Fault("delay", seconds=20))
    opening = Opening(alice, stored)
    until(lambda: is_running(stored))

    monkeypatch.setattr(shutdown, "_ends_at", time.monotonic() + 1)
    opening.join()

    assert isinstance(opening.error, ExportInterrupted)
    assert not is_running(stored)
    assert last_row(Action.EXPORT_FAILED).detail == {"reason": "shutdown"}


@pytest.mark.usefixtures("watched")
def test_an_export_that_can_end_in_time_is_left_to_end(
    alice: User, stored: StoredToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "_ends_at", time.monotonic() + 60)

    assert list(open_download(actor_of(alice), stored))

    assert last_row(Action.EXPORT_FINISHED).outcome == "done"


@pytest.mark.usefixtures("watched")
def test_a_database_that_is_away_for_a_moment_does_not_break_a_long_export(
    alice: User,
    stored: StoredToken,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Any) -> set[int]:
        raise OperationalError("database is locked")

    monkeypatch.setattr(leases, "renew", fail)
    download = open_download(actor_of(alice), stored)
    pieces = iter(download)
    first = next(pieces)
    until(lambda: "export_leases_not_renewed" in caplog.text)

    size = len(first) + sum(map(len, pieces))

    assert last_row(Action.EXPORT_FINISHED).detail["bytes"] == size


@pytest.mark.usefixtures("watched")
def test_a_fault_of_the_watch_does_not_end_it(
    alice: User,
    stored: StoredToken,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Else no silent reader would be cut, and no lease renewed, until the process ends."""
    settings.EXPORT_IDLE = 0
    faults = iter([RuntimeError("once")])

    def fail_once() -> None:
        for fault in faults:
            raise fault

    monkeypatch.setattr(shutdown, "seconds_left", fail_once)
    download = open_download(actor_of(alice), stored)
    next(iter(download))

    until(lambda: not is_running(stored))

    assert "exports_not_watched" in caplog.text
    assert last_row(Action.EXPORT_FAILED).detail["reason"] == "stalled"
    download.close()


def test_an_answer_that_comes_after_the_export_was_stopped_is_closed(
    alice: User, stored: StoredToken, node: Sandbox
) -> None:
    """Else its connection to Estuary, and the document behind it, would stay."""
    client = client_for(stored, actor_of(alice))
    asked, stopped, came = threading.Event(), threading.Event(), list[Export]()

    class Late:
        def open_export(self, timeout: float) -> Export:
            asked.set()
            assert stopped.wait(60)
            came.append(client.open_export(timeout))
            return came[0]

    def stop() -> None:
        assert asked.wait(60)
        raise ExportInterrupted("stopped")

    late: Any = Late()
    with pytest.raises(ExportInterrupted):
        open_export(late, stop)
    stopped.set()

    until(lambda: bool(came) and came[0]._is_closed)
