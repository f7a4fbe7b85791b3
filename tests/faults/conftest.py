"""Shorter pauses than in production, which `tests/keys/upstream` tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keys.upstream.node._RETRY_PAUSES", (0.02, 0.08))
