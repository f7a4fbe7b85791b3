"""The doctor asks the node, and looks at stored tokens and workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User

from keys import doctor
from keys.exports.file_store import FolderStore
from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from tests.conftest import connect
from tests.security.spellings import assert_holds_none

pytestmark = pytest.mark.django_db


def test_a_node_that_refuses_a_made_up_token_is_reachable(node: Sandbox) -> None:
    reachable, clock = doctor.node()

    assert reachable == (f"The node {node.url} answers.", True, "", False)
    assert clock.ok


def test_the_clock_of_the_node_is_compared(node: Sandbox) -> None:
    node.clock_offset = 3600.0

    _, clock = doctor.node()

    assert not clock.ok
    assert "differ by 3600 s" in clock.line or "differ by 3599 s" in clock.line


def test_a_node_that_cannot_be_reached_is_broken(settings: Any) -> None:
    settings.ESTUARY_API_URL = urlsplit("http://127.0.0.1:9")

    [check] = doctor.node()

    assert not check.ok
    assert "http://127.0.0.1:9: Estuary could not be reached" in check.line


def test_a_node_that_does_not_speak_estuary_is_broken(node: Sandbox) -> None:
    node.set_fault("any", Fault("html"))

    [check] = doctor.node()

    assert not check.ok


def test_a_token_whose_sealing_key_is_gone_is_counted(
    settings: Any, node: Sandbox, alice: User, token: str
) -> None:
    connect(alice, token)
    [fits] = doctor.stored_tokens()
    StoredToken.objects.update(sealed="v1.00000000.AAAA")
    [lost] = doctor.stored_tokens()

    assert fits == ("The sealing keys fit every stored token, 1 in all.", True, fits.fix, False)
    assert not lost.ok
    assert "a key that is not set: 1 of 1." in lost.line
    assert_holds_none(lost.line, [token])


def test_a_worker_that_is_missing_is_broken() -> None:
    [check] = doctor.workers()

    assert not check.ok
    assert "No background worker" in check.line


def test_a_node_that_tells_no_time_is_reachable_and_no_clock_is_compared(
    node: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "last_seen", lambda: None)

    [reachable] = doctor.node()

    assert reachable.ok


def test_a_storage_that_returns_other_bytes_is_broken_and_left_clean(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXPORT_STORAGE = tmp_path

    class Forgetful(FolderStore):
        def keep(self, file: BinaryIO) -> None:
            file.truncate(0)
            super().keep(file)

    monkeypatch.setattr(doctor, "file_store", lambda: Forgetful(tmp_path))

    [check] = doctor.export_storage()

    assert not check.ok
    assert "it returned other bytes than were written" in check.line
    assert list(tmp_path.iterdir()) == []
