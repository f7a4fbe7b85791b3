"""`prune` deletes what is too old, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.management import call_command
from django.utils import timezone

from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, ExportLease, KeyCreation, Message, Reminded

pytestmark = pytest.mark.django_db


def entry(member: User, days: float) -> AuditEntry:
    with time_machine.travel(timezone.now() - timedelta(days=days), tick=False):
        return record_action(Actor(member, "", ""), Action.SIGNED_IN)


def pruned(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("prune")
    return capsys.readouterr().out


def test_audit_entries_stay_unless_audit_days_is_set(
    alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    entry(alice, days=5000)

    assert "All audit entries are kept" in pruned(capsys)
    assert AuditEntry.objects.count() == 1


def test_old_audit_entries_are_deleted_and_one_records_it(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_DAYS = 90
    monkeypatch.setattr(chain, "ROWS_PER_DELETE", 2)
    for days in (500, 400, 365, 100, 91):
        entry(alice, days)
    young = entry(alice, days=89.9)

    assert "Removed 5 audit entries older than 90 days." in pruned(capsys)
    told, kept = AuditEntry.objects.all()
    assert kept == young
    assert (told.action, told.actor) == (Action.AUDIT_PRUNED, None)
    assert (told.detail["entries"], told.detail["days"], told.detail["through"]) == (5, 90, 5)
    assert chain.verify().holds
    assert "Removed 0 audit entries" in pruned(capsys)
    assert AuditEntry.objects.count() == 2


def test_ended_sessions_and_leases_are_deleted_and_records_of_keys_stay(
    alice: User, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_DAYS = 1
    now, long_ago = timezone.now(), timezone.now() - timedelta(days=900)
    for name, until in (("a" * 32, long_ago), ("b" * 32, now + timedelta(hours=1))):
        Session.objects.create(session_key=name, session_data="", expire_date=until)
        ExportLease.objects.create(token_hash=name, until=until)
    KeyCreation.objects.create(
        nonce="n", member=alice, label="ci", permission="all", requested_at=long_ago
    )

    pruned(capsys)

    assert [one.session_key for one in Session.objects.all()] == ["b" * 32]
    assert [one.token_hash for one in ExportLease.objects.all()] == ["b" * 32]
    assert KeyCreation.objects.count() == 1


def test_expired_key_lists_are_deleted(
    settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CACHES = settings.CACHES | {
        "key_lists": {
            "BACKEND": "estuary_admin.storage.file_cache.FileCache",
            "LOCATION": tmp_path / "lists",
        }
    }
    pruned(capsys)  # before there is a folder
    with time_machine.travel(timezone.now() - timedelta(hours=25)):
        caches["key_lists"].set("of-one-who-disconnected", b"labels", 24 * 3600)
    caches["key_lists"].set("of-today", b"labels", 24 * 3600)
    (tmp_path / "lists" / "of-another-version.djcache").write_bytes(b"\x80\x05G")

    pruned(capsys)

    assert caches["key_lists"].get("of-today") == b"labels"
    assert len(list((tmp_path / "lists").iterdir())) == 1


def test_old_messages_are_deleted_unless_they_wait(
    alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    now = timezone.now()
    month, year = now - timedelta(days=31), now - timedelta(days=365)
    kept = [
        {"created_at": year, "channel": "page"},  # nobody has dismissed it
        {"created_at": year, "channel": "email", "due_at": now},
        {"created_at": now, "channel": "email", "sent_at": now},
    ]
    gone = [
        {"created_at": month, "channel": "page", "read_at": now},
        {"created_at": month, "channel": "email", "sent_at": month},
        {"created_at": month, "channel": "webhook", "failed_at": month, "failures": 30},
    ]
    for fields in [*kept, *gone]:
        Message.objects.create(**{"member": alice, "due_at": None} | fields)
    for at in (month, year):
        Reminded.objects.create(member=alice, token_hash=f"{at:%Y}", days=7, at=at)

    pruned(capsys)

    assert Message.objects.count() == len(kept)
    assert not Message.objects.exclude(read_at=None).exists()
    assert [mark.at for mark in Reminded.objects.all()] == [month]
