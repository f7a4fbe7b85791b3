"""The one-time values of the create form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.contrib.sessions.backends.base import SessionBase

from keys.api_keys.nonces import checked_nonce, new_nonce

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Session(SessionBase):
    def __init__(self, key: str) -> None:
        super().__init__()
        self._session_key: Any = key


def test_a_nonce_is_valid_in_its_own_session_only() -> None:
    signed = new_nonce(Session("mine-1234"))

    assert checked_nonce(Session("mine-1234"), signed)
    assert checked_nonce(Session("other-567"), signed) == ""


def test_every_form_has_a_nonce_of_its_own() -> None:
    session = Session("mine-1234")

    first, second = (checked_nonce(session, new_nonce(session)) for _ in range(2))

    assert first != second


def test_an_altered_nonce_is_refused() -> None:
    session = Session("mine-1234")
    signed = new_nonce(session)

    assert checked_nonce(session, "x" + signed) == ""
    assert checked_nonce(session, signed[:-1]) == ""
    assert checked_nonce(session, "") == ""


def test_a_nonce_is_valid_as_long_as_a_session() -> None:
    session = Session("mine-1234")
    with time_machine.travel(NOW, tick=False):
        signed = new_nonce(session)

    with time_machine.travel(NOW + timedelta(hours=11, minutes=59), tick=False):
        assert checked_nonce(session, signed)
    with time_machine.travel(NOW + timedelta(hours=12, minutes=1), tick=False):
        assert checked_nonce(session, signed) == ""
