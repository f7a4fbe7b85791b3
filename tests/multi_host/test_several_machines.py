"""Two machines behind nginx are one console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from keys.sandbox import Fault
from tests.backing import need
from tests.multi_host.team import Team, team
from tests.support.console import PASSWORD
from tests.support.visitor import Answer, Visitor

TOKEN = re.compile(r"EST[0-9a-f-]{36}ARY")
KEY = {"lifetime": "30d", "permission": "upload"}
MEMBERS = ("alice", "bob", "carl", "dora", "emil", "fred")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    need("postgresql", "redis-server", "nginx-light")
    with team(tmp_path_factory.mktemp("team"), dict.fromkeys(MEMBERS, 3)) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick_again(running: Team) -> Iterator[None]:
    yield
    running.node.clear_faults()


def keys_called(running: Team, label: str) -> int:
    return sum(key.label == label for key in running.node.state.keys.values())


def test_a_session_of_one_machine_works_on_the_other(running: Team) -> None:
    alice = Visitor()
    alice.sign_in(running.one.url, "alice")

    created = alice.submit(f"{running.two.url}/keys/new/", label="made on two", **KEY)
    listed = alice.get(f"{running.one.url}/keys/")

    assert TOKEN.search(created.text)
    assert "made on two" in listed.words


def test_a_change_on_one_machine_shows_on_the_other(running: Team) -> None:
    bob = Visitor()
    bob.sign_in(running.front, "bob")
    for machine in (running.one, running.two):
        assert "key 1" in bob.get(f"{machine.url}/keys/").words  # both hold the list now
    found = re.search(r'/keys/([\w-]{43})/"><bdi>key 1<', bob.get(f"{running.one.url}/keys/").text)
    assert found

    bob.submit(f"{running.one.url}/keys/{found[1]}/revoke/")

    assert "key 1" not in bob.get(f"{running.two.url}/keys/").words


def test_a_sign_out_on_one_machine_ends_it_on_the_other(running: Team) -> None:
    carl = Visitor()
    carl.sign_in(running.one.url, "carl")
    assert carl.get(f"{running.two.url}/keys/").url.endswith("/keys/")

    carl.twin().submit(f"{running.one.url}/accounts/logout/")

    assert "/accounts/login/" in carl.get(f"{running.two.url}/keys/").url


def test_a_form_sent_to_both_machines_at_once_makes_one_key(running: Team) -> None:
    dora = Visitor()
    dora.sign_in(running.front, "dora")
    form = dora.get(f"{running.front}/keys/new/").hidden | KEY | {"label": "only once"}
    running.node.set_fault("any", Fault("delay", seconds=0.3))

    def send(machine: str) -> Answer:
        return dora.twin().post(f"{machine}/keys/new/", form)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, [running.one.url, running.two.url] * 4))

    assert keys_called(running, "only once") == 1
    assert [bool(TOKEN.search(answer.text)) for answer in answers].count(True) == 1
    assert sum("This key was created already" in answer.words for answer in answers) == 7


def test_wrong_passwords_are_counted_across_machines(running: Team) -> None:
    guesser = Visitor("203.0.113.66")
    told = []
    for number in range(8):
        machine = (running.one, running.two)[number % 2]
        told.append(guesser.try_to_sign_in(machine.url, "emil", f"guess {number}").words)

    assert "Too many failed" in told[-1]
    for machine in (running.one, running.two):
        assert "Too many failed" in guesser.try_to_sign_in(machine.url, "emil", PASSWORD).words


def test_nginx_uses_both_machines(running: Team) -> None:
    fred = Visitor()
    fred.sign_in(running.front, "fred")
    for _ in range(6):
        assert fred.get(f"{running.front}/keys/").status == 200

    for machine in (running.one, running.two):
        assert "route=keys/ status=200" in machine.log.read_text()
