"""Keys of Alice's that are there to be revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account

PAST = timedelta(days=-1)


@pytest.fixture
def backup(node: Sandbox, account: Account) -> str:
    """Another key of Alice's account."""
    return node.add_key(account, label="backup")


@pytest.fixture
def expired(node: Sandbox, account: Account) -> list[str]:
    """Three expired keys beside one that works and an expired session."""
    node.add_key(account, label="works")
    node.add_key(account, label="session", lifetime=PAST, is_session=True)
    return [node.add_key(account, label=f"ended-{n}", lifetime=PAST) for n in range(3)]
