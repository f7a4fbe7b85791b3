"""Reminders and messages when real workers are killed in the middle of them, or are several."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from keys.actors import Actor
from keys.models import Message, Reminded
from keys.notices.choices import save_choices
from keys.notices.digest import test_message as message_for_test
from keys.notices.outbox import enqueue
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect
from tests.keys.jobs.conftest import Workers, until, workers
from tests.support.serving import Quiet, Serving

__all__ = ["workers"]

pytestmark = pytest.mark.timeout(300)  # workers start slowly on a busy machine


class SlowReceiver:
    """Notes the number of each post, and answers when `answer` is set."""

    def __init__(self) -> None:
        self.numbers: list[str] = []
        self.answer = threading.Event()
        self.url = ""


@pytest.fixture
def slow(settings: Any) -> Iterator[SlowReceiver]:
    found = SlowReceiver()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            found.numbers.append(self.headers["webhook-id"])
            found.answer.wait(120)
            try:
                self.send_response(204)
                self.end_headers()
            except OSError:
                self.close_connection = True  # the worker was killed

    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with Serving(Handler) as serving:
        found.url = f"http://127.0.0.1:{serving.port}/"
        yield found
        found.answer.set()


def start(workers: Workers, **more: str) -> Any:
    return workers.start(WEBHOOK_NETWORKS="127.0.0.0/8", **more)


def messages(member: User, count: int) -> None:
    with transaction.atomic():
        for _ in range(count):
            enqueue(member, message_for_test(member))


def is_sent() -> bool:
    return not Message.objects.filter(channel="webhook", sent_at=None).exists()


def test_a_message_whose_worker_is_killed_is_delivered_by_the_next_one(
    workers: Workers, alice: User, slow: SlowReceiver
) -> None:
    save_choices(Actor(alice, "", ""), [7], slow.url)
    messages(alice, 1)
    killed = start(workers)
    until(lambda: slow.numbers)

    killed.kill()
    killed.wait()
    slow.answer.set()
    start(workers)

    until(is_sent)
    # The first worker may have got through: the receiver knows the second one by its number.
    assert len(slow.numbers) == 2
    assert len(set(slow.numbers)) == 1


def test_two_workers_deliver_each_message_once(
    workers: Workers, alice: User, slow: SlowReceiver
) -> None:
    slow.answer.set()
    save_choices(Actor(alice, "", ""), [7], slow.url)
    messages(alice, 30)
    start(workers)
    start(workers)

    until(is_sent)
    assert len(slow.numbers) == len(set(slow.numbers)) == 30


def test_a_worker_killed_while_estuary_is_asked_leads_to_one_digest(
    workers: Workers, alice: User, node: Sandbox, account: Account, token: str
) -> None:
    connect(alice, token)
    ending = hash_of(node.add_key(account, label="ending", lifetime=timedelta(days=6)))
    node.forget_requests()
    node.set_fault("list", Fault("never"))
    killed = start(workers, ESTUARY_API_URL=node.url)
    until(lambda: node.requests)

    killed.kill()
    killed.wait()
    node.clear_faults()
    start(workers, ESTUARY_API_URL=node.url)
    start(workers, ESTUARY_API_URL=node.url)

    until(lambda: Message.objects.exists())
    assert Message.objects.get().subject == "1 key ending soon"
    told = Reminded.objects.filter(token_hash=ending)
    assert sorted(told.values_list("days", flat=True)) == [7, 14, 30]
