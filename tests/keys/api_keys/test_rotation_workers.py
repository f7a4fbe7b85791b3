"""Ends of rotations when real workers are killed in the middle of them, or are several."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from keys.models import ConsoleKey, Message, Rotation, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_create import token_in
from tests.keys.api_keys.test_key_rotate import rotate
from tests.keys.jobs.conftest import Workers, until, workers

__all__ = ["workers"]

pytestmark = pytest.mark.timeout(300)  # workers start slowly on a busy machine


@pytest.fixture
def rotating(workers: Workers, alice: User, token: str) -> Client:
    """Alice, connected, with a database that workers share."""
    connect(alice, token)
    return signed_in(alice)


def overlap_is_over() -> None:
    moment = timezone.now() - timedelta(seconds=1)
    Rotation.objects.filter(state="overlap").update(ends_at=moment, due_at=moment)


def start(workers: Workers, node: Sandbox) -> Any:
    return workers.start(ESTUARY_API_URL=node.url)


def is_over() -> bool:
    return not Rotation.objects.filter(state="overlap").exists()


def deletes(node: Sandbox) -> list[str]:
    return [request.path for request in node.requests if request.method == "DELETE"]


@pytest.mark.parametrize("endpoint", ["list", "revoke"])
@pytest.mark.parametrize("kind", ["never", "delay"])
def test_a_worker_killed_while_it_ends_a_key_is_followed_by_the_next_one(
    workers: Workers, rotating: Client, node: Sandbox, backup: str, endpoint: str, kind: str
) -> None:
    new = token_in(rotate(rotating, backup))
    overlap_is_over()
    node.forget_requests()
    node.set_fault(endpoint, Fault(kind, seconds=20))
    killed = start(workers, node)
    method = "DELETE" if endpoint == "revoke" else "GET"
    until(lambda: [one for one in node.requests if one.method == method])

    killed.kill()
    killed.wait()
    node.clear_faults()
    start(workers, node)

    until(is_over)
    assert Rotation.objects.get().state == "ended"
    assert backup not in node.state.keys
    assert new in node.state.keys
    assert Message.objects.filter(kind="rotation.ended").count() == 1


def test_two_workers_end_each_key_once(
    workers: Workers, rotating: Client, node: Sandbox, account: Account
) -> None:
    old = [node.add_key(account, label=f"old {number}") for number in range(6)]
    for token in old:
        rotate(rotating, token)
    overlap_is_over()
    node.forget_requests()
    start(workers, node)
    start(workers, node)

    until(is_over)
    assert sorted(deletes(node)) == sorted(f"/user/api-keys/{hash_of(token)}" for token in old)
    assert Message.objects.filter(kind="rotation.ended").count() == 6


def test_the_console_renews_its_own_key_once_with_two_workers(
    workers: Workers, rotating: Client, node: Sandbox, token: str, alice: User
) -> None:
    rotating.post("/account/token/", {"token": token, "own_key": "on"})
    own = StoredToken.objects.get().token_hash
    assert own != hash_of(token)
    ConsoleKey.objects.update(due_at=timezone.now())
    node.forget_requests()
    start(workers, node)
    start(workers, node)

    until(lambda: StoredToken.objects.get().token_hash != own and is_over())
    assert [one.method for one in node.requests].count("POST") == 1
    assert sorted(key.label for key in node.state.keys.values()) == ["Estuary Admin", "console"]
