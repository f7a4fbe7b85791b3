"""Exports that are prepared every week or month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.audit.vocabulary import Action
from keys.exports.prepared import of_member
from keys.exports.preparing import prepare_due
from keys.exports.queueing import queue_export
from keys.exports.room import NoRoom
from keys.exports.schedules import next_run, run_due
from keys.models import ExportSchedule, Message, PreparedExport, StoredToken, TeamExport, Worker
from tests.conftest import signed_in
from tests.keys.evidence import audited, last_row, words_of
from tests.keys.exports.conftest import PREPARE

SCHEDULE = "/exports/schedule/"


def make_due() -> None:
    ExportSchedule.objects.update(due_at=timezone.now() - timedelta(days=40))


@pytest.mark.parametrize(
    ("now", "every", "day"),
    [
        ("2026-11-28", "week", "2026-11-30"),
        ("2026-11-30", "week", "2026-12-07"),
        ("2026-11-28", "month", "2026-12-01"),
        ("2026-12-01", "month", "2027-01-01"),
        ("2027-01-31", "month", "2027-02-01"),
    ],
)
def test_the_next_one_is_on_a_monday_or_the_first(now: str, every: str, day: str) -> None:
    with time_machine.travel(datetime.fromisoformat(f"{now}T12:00:00+00:00"), tick=False):
        assert next_run(every, 125) == datetime.fromisoformat(f"{day}T03:05:00+00:00")


def test_a_member_chooses_how_often(owner: Client) -> None:
    owner.post(SCHEDULE, {"every": "week"})

    page = words_of(owner.get("/exports/"))
    assert "The next one is prepared" in page
    assert audited()[-1] == ("export:scheduled", "done")
    owner.post(SCHEDULE, {"every": "month"})
    assert ExportSchedule.objects.get().every == "month"
    owner.post(SCHEDULE, {"every": ""})
    assert not ExportSchedule.objects.exists()
    assert "Choose how often" in words_of(owner.post(SCHEDULE, {"every": "hour"}, follow=True))


def test_the_worker_prepares_it_when_its_time_has_come(owner: Client, worker: Worker) -> None:
    owner.post(SCHEDULE, {"every": "week"})
    run_due()
    assert not PreparedExport.objects.exists()

    make_due()
    run_due()
    run_due()
    prepare_due()

    assert PreparedExport.objects.get().state == "ready"  # one makes up for all missed ones
    due_at = ExportSchedule.objects.get().due_at
    assert due_at is not None
    assert timezone.now() < due_at <= timezone.now() + timedelta(days=8)
    row = last_row("export:prepare-requested")  # type: ignore[arg-type]
    assert (row.job, row.on_behalf_of_name) == ("export-schedule", "alice")


def test_a_schedule_that_is_changed_forgets_failed_tries(owner: Client) -> None:
    owner.post(SCHEDULE, {"every": "week"})
    ExportSchedule.objects.update(failures=1)

    owner.post(SCHEDULE, {"every": "month"})

    assert ExportSchedule.objects.get().failures == 0  # else it would be due at once


def test_it_is_not_prepared_twice_at_once(owner: Client, worker: Worker) -> None:
    owner.post(SCHEDULE, {"every": "week"})
    owner.post(PREPARE)
    make_due()

    run_due()

    assert PreparedExport.objects.count() == 1
    due_at = ExportSchedule.objects.get().due_at
    assert due_at is not None
    assert due_at > timezone.now()


@pytest.mark.parametrize("whose", ["an admin's", "another member's"])
def test_it_waits_for_an_export_that_is_not_the_members_own(
    owner: Client, alice: User, worker: Worker, whose: str
) -> None:
    """That one is no file of the member's, and the next period may be a month away."""
    stored = StoredToken.objects.get()
    if whose == "an admin's":
        team = TeamExport.objects.create()
        queue_export(Actor.for_job("team-export", alice), stored, team)
    else:
        bob = User.objects.create_user("bob")
        PreparedExport.objects.create(member=bob, token_hash=stored.token_hash)
    owner.post(SCHEDULE, {"every": "month"})
    make_due()

    run_due()

    assert not of_member(alice).exists()
    due_at = ExportSchedule.objects.get().due_at
    assert due_at is not None
    assert timedelta(0) < due_at - timezone.now() <= timedelta(minutes=10)
    PreparedExport.objects.update(state="ready")
    make_due()
    run_due()
    assert of_member(alice).get().state == "queued"
    due_at = ExportSchedule.objects.get().due_at
    assert due_at == next_run("month", alice.pk)


@pytest.mark.parametrize("why", ["disconnected", "switched off"])
def test_nothing_is_prepared_for_an_inactive_member(
    owner: Client, alice: User, worker: Worker, why: str
) -> None:
    owner.post(SCHEDULE, {"every": "month"})
    if why == "disconnected":
        StoredToken.objects.all().delete()
    else:
        User.objects.update(is_active=False)
    make_due()

    run_due()

    assert not PreparedExport.objects.exists()
    assert ExportSchedule.objects.exists()


def test_without_room_the_member_is_told_and_the_next_one_is_tried(
    owner: Client, alice: User, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise NoRoom("quota")

    owner.post(SCHEDULE, {"every": "week"})
    make_due()
    monkeypatch.setattr("keys.exports.queueing.Room", refuse)

    run_due()

    due_at = ExportSchedule.objects.get().due_at
    assert due_at is not None
    assert due_at > datetime.now(UTC)
    row = PreparedExport.objects.get()
    assert (row.state, row.reason, row.due_at) == ("failed", "quota", None)
    assert "take all the room" in words_of(owner.get(f"/exports/{row.number}/"))
    message = Message.objects.get(member=alice)
    assert message.subject == "Your export could not be prepared"
    assert last_row(Action.EXPORT_PREPARE_FAILED).on_behalf_of == alice


@pytest.mark.parametrize(
    ("zone", "now", "every", "due"),
    [
        ("Europe/Berlin", "2027-03-27T12:00+01:00", "week", "2027-03-29T03:05+02:00"),
        ("Europe/Berlin", "2027-10-31T02:30+01:00", "week", "2027-11-01T03:05+01:00"),
        ("America/New_York", "2027-10-31T12:00-04:00", "month", "2027-11-01T03:05-04:00"),
        ("America/New_York", "2027-11-07T01:30-05:00", "week", "2027-11-08T03:05-05:00"),
        ("Pacific/Auckland", "2027-01-31T23:59+13:00", "month", "2027-02-01T03:05+13:00"),
        ("UTC", "2028-02-29T12:00+00:00", "month", "2028-03-01T03:05+00:00"),
    ],
)
def test_the_hour_is_that_of_the_consoles_clock(
    settings: Any, zone: str, now: str, every: str, due: str
) -> None:
    settings.TIME_ZONE = zone
    with time_machine.travel(datetime.fromisoformat(now), tick=False):
        assert next_run(every, 125) == datetime.fromisoformat(due)


def test_schedules_are_their_members_own(owner: Client, carol: User) -> None:
    owner.post(SCHEDULE, {"every": "week"})

    admin = signed_in(carol)
    admin.post(SCHEDULE, {"every": ""})

    assert ExportSchedule.objects.count() == 1
    assert "The next one is prepared" not in words_of(admin.get("/exports/"))
    assert Client().post(SCHEDULE)["Location"].startswith("/accounts/login/")
