"""Members with Django's test client, and an Estuary node on a real socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import caches
from django.test import Client

from estuary_admin.members import ADMINS
from keys.actors import Actor
from keys.api_keys import kept_lists
from keys.exports import running
from keys.models import StoredToken
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token.stored_tokens import connect_token
from tests.support.chromium import chromium
from tests.support.processes import Mode

__all__ = ["chromium"]

PASSWORD = "correct horse battery"
HTMX = {"HX-Request": "true"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="skip tests that start a browser or a server process"
    )
    parser.addoption(
        "--only-database", action="store_true", help="leave out tests that use no database"
    )


def pytest_configure(config: pytest.Config) -> None:
    Mode.is_fast = config.getoption("--fast")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--only-database"):
        config.hook.pytest_deselected(items=[item for item in items if not uses_database(item)])
        items[:] = filter(uses_database, items)


def uses_database(item: pytest.Item) -> bool:
    """Whether a test uses the database itself; the consoles that it starts have their own."""
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", []))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


@pytest.fixture
def node(settings: Any) -> Iterator[Sandbox]:
    """A current Estuary node that the app calls."""
    with Sandbox(rate_limit=None) as running:
        settings.ESTUARY_API_URL = urlsplit(running.url)
        settings.ESTUARY_TIMEOUT = 3
        yield running


@pytest.fixture(autouse=True)
def _no_kept_lists() -> None:
    """Remove kept key lists: the database is reset after each test, files are not."""
    caches["key_lists"].clear()
    kept_lists.memory.clear()


@pytest.fixture(autouse=True)
def _no_export_left_open() -> Iterator[None]:
    """An export that a test leaves open is watched on into other tests and their database."""
    yield
    end = time.monotonic() + 60
    while running.watch._running and time.monotonic() < end:
        time.sleep(0.01)  # its reader has just gone
    left = dict(running.watch._running)
    for export in left.values():
        running.watch.remove(export)
    while running.watch._thread and time.monotonic() < end:
        time.sleep(0.001)  # its last look asks the database
    assert not left, "the test leaves an export open: close the response"


@pytest.fixture
def account(node: Sandbox) -> Account:
    """Alice's account at the node."""
    return node.add_user("alice")


@pytest.fixture
def token(node: Sandbox, account: Account) -> str:
    """A token of Alice's account with every permission."""
    return node.add_key(account, label="console")


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def carol(db: None) -> User:
    """An admin."""
    member = User.objects.create_user("carol", password=PASSWORD)
    member.groups.add(Group.objects.get_or_create(name=ADMINS)[0])
    return member


def signed_in(member: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(member)
    return client


def connect(member: User, token: str) -> StoredToken:
    return connect_token(Actor(member, "192.0.2.1", "made-by-a-test"), token)


@pytest.fixture
def browser(alice: User, token: str, node: Sandbox) -> Client:
    """Alice, signed in and connected; the node has counted no request yet."""
    connect(alice, token)
    node.forget_requests()
    return signed_in(alice)
