"""A worker inside the test, and a member with some data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.exports.preparing import prepare_due
from keys.jobs import workers
from keys.models import PreparedExport, Worker
from keys.sandbox import Sandbox
from tests.conftest import connect, signed_in

PREPARE = "/exports/prepare/"


@pytest.fixture
def worker(db: None) -> Iterator[Worker]:
    yield workers.register()
    workers.unregister()


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """Where the exports of this test are kept."""
    settings.EXPORT_STORAGE = tmp_path / "exports"
    return tmp_path / "exports"


@pytest.fixture
def owner(node: Sandbox, alice: User, folder: Path) -> Client:
    """Alice, connected to an account with 3000 contents."""
    connect(alice, node.add_key(node.add_user("rich", contents=3000)))
    node.forget_requests()
    return signed_in(alice)


@pytest.fixture
def prepared(owner: Client, worker: Worker) -> PreparedExport:
    """An export of Alice's that is ready."""
    owner.post(PREPARE)
    prepare_due()
    row = PreparedExport.objects.get()
    assert row.state == "ready"
    return row
