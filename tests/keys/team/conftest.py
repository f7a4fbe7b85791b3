"""A worker inside the test, and accounts that it has looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.utils import timezone

from keys.jobs import workers
from keys.models import SyncedAccount, Worker
from keys.team.sync import sync_due


@pytest.fixture
def worker(db: None) -> Iterator[Worker]:
    yield workers.register()
    workers.unregister()


def look_again() -> None:
    """As after SYNC_MINUTES."""
    caches["key_lists"].clear()
    SyncedAccount.objects.exclude(due_at=None).update(due_at=timezone.now())
    sync_due()
