"""A page that waits for Estuary holds no database connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from keys.actors import Actor
from keys.api_keys import key_lists
from keys.sandbox import Sandbox
from keys.stats import services
from keys.upstream import EstuaryClient
from tests.conftest import connect

ASKED: list[tuple[str, Callable[..., Any]]] = [
    ("list_keys", lambda stored, actor: key_lists.current_list(stored, actor, reuse=False)),
    ("stats", services.current_stats),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("call", "page"), ASKED)
def test_a_page_that_waits_for_estuary_holds_no_pooled_connection(
    monkeypatch: pytest.MonkeyPatch,
    node: Sandbox,
    alice: User,
    token: str,
    call: str,
    page: Callable[..., Any],
) -> None:
    stored = connect(alice, token)
    held: list[bool] = []
    asked = getattr(EstuaryClient, call)

    def spied(client: EstuaryClient) -> object:
        held.append(connection.connection is not None)
        return asked(client)

    monkeypatch.setattr(EstuaryClient, call, spied)
    # As with a pool: a connection is given back as soon as it may be.
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    stored.refresh_from_db()

    page(stored, Actor(alice, "192.0.2.1", "made-by-a-test"))

    assert held == [False]
