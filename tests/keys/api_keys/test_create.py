"""Concurrent submits, and a database that fails after the key was created."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from keys.actors import Actor
from keys.api_keys.create import Creation, create_key
from keys.models import AuditEntry, KeyCreation, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.upstream import CreatedKey, EstuaryClient, KeySpec, Permission
from tests.conftest import connect
from tests.keys.evidence import audited, labels_at

SPEC = KeySpec("backup", timedelta(days=30), Permission.UPLOAD)


@pytest.fixture
def shared_database(transactional_db: None) -> Iterator[None]:
    yield
    cache.clear()  # its table is none of Django's models, so it would outlive the test


def actor_of(member: User) -> Actor:
    return Actor(member, "192.0.2.1", "made-by-a-test")


def at_once(count: int, action: Any) -> list[Any]:
    """Run an action in several threads that begin together."""
    barrier, results = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        try:
            results.append(action())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_submits_at_once_make_one_key(
    shared_database: None, alice: User, node: Sandbox, token: str
) -> None:
    stored = connect(alice, token)
    node.set_fault("create", Fault("delay", seconds=0.3))

    results: list[Creation] = at_once(4, lambda: create_key(actor_of(alice), stored, SPEC, "n"))

    assert len(results) == 4
    assert labels_at(node) == ["backup", "console"]
    assert [result.is_repeated for result in results].count(False) == 1
    assert [result.created is not None for result in results].count(True) == 1
    assert {result.record.outcome for result in results} == {"created"}
    assert KeyCreation.objects.count() == 1
    assert AuditEntry.objects.filter(action="key:created").count() == 1


def test_a_repeated_form_waits_for_the_first_and_then_reports_unknown(
    alice: User, node: Sandbox, token: str, settings: Any
) -> None:
    stored = connect(alice, token)
    settings.ESTUARY_TIMEOUT = 0.3
    KeyCreation.objects.create(nonce="n", member=alice, label="backup", permission="upload")
    node.forget_requests()

    result = create_key(actor_of(alice), stored, SPEC, "n")

    assert result.is_repeated
    assert result.record.outcome == "unknown"
    assert KeyCreation.objects.get().outcome == "requested"  # the first may still conclude
    assert node.requests == []


def test_a_repeated_form_does_not_wait_longer_after_the_clock_was_set_back(
    alice: User, node: Sandbox, token: str, settings: Any
) -> None:
    stored = connect(alice, token)
    settings.ESTUARY_TIMEOUT = 0.3
    KeyCreation.objects.create(
        nonce="n",
        member=alice,
        label="backup",
        permission="upload",
        requested_at=timezone.now() + timedelta(seconds=10),
    )
    began = time.monotonic()

    assert create_key(actor_of(alice), stored, SPEC, "n").record.outcome == "unknown"
    assert time.monotonic() - began < 5


def test_a_form_repeated_after_a_crash_does_not_wait(
    alice: User, node: Sandbox, token: str
) -> None:
    stored = connect(alice, token)
    KeyCreation.objects.create(
        nonce="n",
        member=alice,
        label="backup",
        permission="upload",
        requested_at=timezone.now() - timedelta(minutes=5),
    )

    assert create_key(actor_of(alice), stored, SPEC, "n").record.outcome == "not-created"


def test_the_token_is_returned_although_the_creation_cannot_be_recorded(
    alice: User, node: Sandbox, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored = connect(alice, token)

    def fail(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        """Have the database itself fail, which ends a transaction as no exception of ours does."""
        if 'UPDATE "keys_keycreation"' in sql:
            return execute("SELECT * FROM nowhere", None, *rest)
        return execute(sql, params, *rest)

    with connection.execute_wrapper(fail):
        result = create_key(actor_of(alice), stored, SPEC, "n")

    assert result.created is not None
    assert result.created.token in node.state.keys
    assert "key_creation_not_recorded" in caplog.text
    assert result.created.token not in caplog.text
    assert audited()[-1] == ("key:create-requested", "started")


def test_a_member_who_disconnects_meanwhile_gets_the_token(
    alice: User, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disconnected_then(client: EstuaryClient, spec: KeySpec) -> CreatedKey:
        StoredToken.objects.all().delete()
        return make(client, spec)

    stored, make = connect(alice, token), EstuaryClient.create_key
    monkeypatch.setattr(EstuaryClient, "create_key", disconnected_then)

    result = create_key(actor_of(alice), stored, SPEC, "n")

    assert result.created is not None
    assert result.record.outcome == "created"
    assert audited()[-1] == ("key:created", "done")


def test_the_key_of_another_form_is_not_called_lost(
    alice: User, node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, make = connect(alice, token), EstuaryClient.create_key

    def another_form_first(client: EstuaryClient, spec: KeySpec) -> CreatedKey:
        monkeypatch.setattr(EstuaryClient, "create_key", make)
        create_key(actor_of(alice), stored, SPEC, "another")
        node.set_fault("create", Fault("500"))
        return make(client, spec)

    monkeypatch.setattr(EstuaryClient, "create_key", another_form_first)

    result = create_key(actor_of(alice), stored, SPEC, "n")

    assert labels_at(node) == ["backup", "console"]
    assert result.record.outcome == "not-created"
    assert result.record.token_hash == ""


def test_the_repr_of_a_creation_hides_the_token(alice: User, node: Sandbox, token: str) -> None:
    result = create_key(actor_of(alice), connect(alice, token), SPEC, "n")

    assert result.created is not None
    assert result.created.token not in repr(result)
    assert str(result.record) == f"creation {result.record.pk}: created"
