"""A console on PostgreSQL with a small pool: Estuary is slow, or PostgreSQL goes away meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from keys.sandbox import Fault, Sandbox
from tests.backing import PostgreSQL, need, running
from tests.multi_host.team import seat
from tests.support.console import Console
from tests.support.processes import wait_until
from tests.support.visitor import Answer, Visitor

KEY = {"lifetime": "30d", "permission": "upload"}
TOKEN = re.compile(r"EST[0-9a-f-]{36}ARY")
SLOW = 3  # seconds that Estuary takes


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    need(PostgreSQL.PACKAGE)
    with running(PostgreSQL) as backing:
        assert isinstance(backing, PostgreSQL)
        yield backing


@pytest.fixture(scope="module")
def console(database: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    environment = {
        "DATABASE_URL": database.url,
        "DATABASE_POOL_SIZE": "2",
        "ESTUARY_TIMEOUT": "15",
        "MEMBER_CHANGES_PER_MINUTE": "1000",
    }
    with (
        Sandbox(rate_limit=None) as node,
        Console(
            tmp_path_factory.mktemp("console"), node, [seat(node, "alice", 3)], None, environment
        ) as console,
    ):
        yield console


@pytest.fixture
def alice(console: Console) -> Iterator[Visitor]:
    visitor = Visitor()
    visitor.sign_in(console.url, "alice")
    yield visitor
    console.node.clear_faults()


def posts(console: Console, method: str = "POST") -> int:
    return sum(request.method == method for request in console.node.requests)


def begin(
    console: Console, alice: Visitor, pool: ThreadPoolExecutor, *labels: str
) -> tuple[list[dict[str, str]], list[Future[Answer]]]:
    """Send a form for each label, and wait until Estuary works on all of them."""
    page = f"{console.url}/keys/new/"
    forms = [alice.get(page).hidden | KEY | {"label": label} for label in labels]
    console.node.forget_requests()
    console.node.set_fault("create", Fault("delay", seconds=SLOW))
    sent = [pool.submit(alice.twin().post, page, form) for form in forms]
    wait_until(lambda: posts(console) == len(labels))
    return forms, sent


def outcomes(database: PostgreSQL, label: str) -> list[str]:
    query = "SELECT outcome FROM keys_keycreation WHERE label = %s"
    with psycopg.connect(database.url) as connection:
        return [str(row[0]) for row in connection.execute(query, [label]).fetchall()]


def test_slow_creations_hold_no_connection_that_others_need(
    console: Console, alice: Visitor
) -> None:
    """Twelve at once, and two connections in all."""
    with ThreadPoolExecutor(12) as pool:
        _, sent = begin(console, alice, pool, *(f"slow {number}" for number in range(12)))

        ready, page = alice.get(f"{console.url}/readyz"), alice.get(f"{console.url}/account/token/")

        assert not any(answer.done() for answer in sent)
        assert (ready.status, page.status) == (200, 200)
        assert all(TOKEN.search(answer.result().text) for answer in sent)


ACTS: dict[str, tuple[str, Callable[[Console], tuple[str, dict[str, str]]]]] = {
    "revoke": ("revoke", lambda console: (revoke_url(console), {})),
    "connect": ("stats", lambda console: ("/account/token/", {"token": a_token(console)})),
    "export": ("export", lambda _: ("/exports/download/", {})),
}


def a_token(console: Console) -> str:
    return next(iter(console.node.state.keys))


def revoke_url(console: Console) -> str:
    key = list(console.node.state.keys.values())[1]
    return f"/keys/{key.token_hash}/revoke/"


@pytest.mark.parametrize("act", ACTS)
def test_nothing_that_waits_for_estuary_holds_a_connection(
    console: Console, alice: Visitor, act: str
) -> None:
    endpoint, arguments = ACTS[act]
    path, typed = arguments(console)
    page = "/exports/" if act == "export" else path
    form = alice.get(console.url + page).hidden | typed
    console.node.forget_requests()
    console.node.set_fault(endpoint, Fault("delay", seconds=SLOW))
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(alice.twin().post, console.url + path, form)
        wait_until(lambda: any(path_of(endpoint) in one.path for one in console.node.requests))
        with ThreadPoolExecutor(4) as others:
            ready = list(others.map(lambda _: alice.get(f"{console.url}/readyz").status, range(8)))

        assert not sent.done()
        assert ready == [200] * 8
        assert sent.result().status == 200


def path_of(endpoint: str) -> str:
    return {"revoke": "/user/api-keys/", "stats": "/user/stats", "export": "/user/export"}[endpoint]


def test_a_restart_during_a_creation_loses_neither_the_token_nor_its_record(
    console: Console, alice: Visitor, database: PostgreSQL
) -> None:
    with ThreadPoolExecutor(1) as pool:
        [form], [sent] = begin(console, alice, pool, "restarted")
        database.stop()
        database.start()
        created = sent.result()

    assert TOKEN.search(created.text), created.words
    assert "it works" in created.words
    wait_until(lambda: outcomes(database, "restarted") == ["created"])
    again = alice.post(f"{console.url}/keys/new/", form)
    assert "This key was created already" in again.words


def test_an_outage_beyond_the_page_is_recorded_when_the_database_is_back(
    console: Console, alice: Visitor, database: PostgreSQL
) -> None:
    with ThreadPoolExecutor(1) as pool:
        [form], [sent] = begin(console, alice, pool, "outage")
        database.stop()
        created = sent.result()
        database.start()

    assert TOKEN.search(created.text), created.words
    wait_until(lambda: outcomes(database, "outage") == ["created"])
    again = alice.post(f"{console.url}/keys/new/", form)
    assert "This key was created already" in again.words
    assert "Nobody has its token" not in again.words
