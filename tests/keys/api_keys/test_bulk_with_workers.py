"""Changes to many keys with real workers: one is killed, two share, the node has a limit."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User

from keys.audit import chain
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, BulkChange, BulkItem
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_bulk import preview
from tests.keys.api_keys.test_key_revoke_expired import deletes
from tests.keys.evidence import labels_at
from tests.keys.jobs.conftest import Workers, until, workers

__all__ = ["workers"]

pytestmark = pytest.mark.timeout(300)  # workers start slowly on a busy machine


def start_change(
    member: User, node: Sandbox, account: Account, token: str, count: int
) -> list[str]:
    """Confirm that `count` keys are to be revoked; returns their hashes."""
    connect(member, token)
    hashes = [hash_of(node.add_key(account, label=f"key-{n}")) for n in range(count)]
    browser = signed_in(member)
    browser.post(preview(browser, all_found="1", q="key-"))
    node.forget_requests()
    return hashes


def is_ended() -> bool:
    return not BulkChange.objects.filter(ended_at=None).exists()


def assert_each_was_revoked_once(hashes: list[str]) -> None:
    rows = AuditEntry.objects.filter(action=Action.KEY_REVOKED, outcome="done")
    assert Counter(rows.values_list("token_hash", flat=True)) == Counter(hashes)
    assert set(BulkItem.objects.values_list("outcome", flat=True)) == {"revoked"}
    assert chain.verify().holds


def test_a_worker_that_is_killed_loses_and_repeats_nothing(
    workers: Workers, alice: User, node: Sandbox, account: Account, token: str
) -> None:
    hashes = start_change(alice, node, account, token, 150)
    node.set_fault("revoke", Fault("delay", seconds=0.1))
    killed = workers.start(ESTUARY_API_URL=node.url)
    until(lambda: len(deletes(node)) >= 20)

    killed.kill()
    killed.wait()
    node.clear_faults()
    workers.start(ESTUARY_API_URL=node.url)

    until(is_ended)
    assert labels_at(node) == ["console"]
    assert_each_was_revoked_once(hashes)


def test_two_workers_send_each_request_once(
    workers: Workers, alice: User, node: Sandbox, account: Account, token: str
) -> None:
    hashes = start_change(alice, node, account, token, 300)
    for _ in range(2):
        workers.start(ESTUARY_API_URL=node.url)

    until(is_ended)
    assert_each_was_revoked_once(hashes)
    assert max(Counter(deletes(node)).values()) == 1


@pytest.mark.usefixtures("transactional_db")
def test_the_nodes_limit_is_not_met(workers: Workers, alice: User, settings: Any) -> None:
    with Sandbox(rate_limit=200) as node:
        settings.ESTUARY_API_URL = urlsplit(node.url)
        account = node.add_user("alice")
        hashes = start_change(alice, node, account, node.add_key(account, label="console"), 500)
        workers.start(ESTUARY_API_URL=node.url)

        until(is_ended)
        assert_each_was_revoked_once(hashes)
        # One that the node refuses is sent again.
        assert len(deletes(node)) == 500
