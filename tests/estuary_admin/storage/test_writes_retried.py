"""A write that cannot be repeated elsewhere is tried again, and its loss is logged."""

from __future__ import annotations

import logging
from typing import NoReturn

import pytest
from django.db import OperationalError

from estuary_admin.observability.logging import LineFormatter
from estuary_admin.storage import connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LATER_PAUSES", (0.0, 0.0))


def test_a_write_that_works_later_is_logged_as_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("in a test")

    with caplog.at_level(logging.WARNING):
        connections._write_later(write, "a_row")

    assert len(tries) == 2
    assert caplog.messages == ["write_retried", "written_late"]


def test_a_write_that_never_works_is_logged_as_lost(caplog: pytest.LogCaptureFixture) -> None:
    def write() -> NoReturn:
        raise OperationalError("in a test")

    connections._write_later(write, "a_row")

    lost = caplog.records[-1]
    assert (lost.message, lost.levelname) == ("not_written_at_all", "ERROR")
    assert "reason=a_row" in LineFormatter().format(lost)
