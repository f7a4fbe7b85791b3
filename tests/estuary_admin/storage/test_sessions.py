"""Sessions in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings as configured
from django.contrib.sessions.backends import db
from django.utils import timezone

from estuary_admin.storage.sessions import SessionStore

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("shift", "is_alive"),
    [
        (11 * HOUR, True),
        (13 * HOUR, False),
        (timedelta(minutes=-1), True),
        (-26 * HOUR, False),  # else it would live for 38 hours more
    ],
)
def test_a_session_lives_for_twelve_hours_however_the_clock_is_set(
    shift: timedelta, is_alive: bool
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        store = SessionStore()
        store["theme"] = "dark"
        store.save()
        clock.shift(shift)

        assert bool(SessionStore(store.session_key).load()) is is_alive


@pytest.mark.parametrize("key", ["", "\x00", "a" * 31, "A" * 32, "a" * 32 + "\n", None])
def test_a_key_that_cannot_be_one_is_not_looked_up(key: str | None) -> None:
    store = SessionStore(key)

    assert store.load() == {}
    assert store.session_key is None


def test_a_session_of_another_version_goes_on() -> None:
    """Django's own store writes what every version writes: table, salt and format are the same."""
    other = db.SessionStore()
    other["theme"] = "dark"
    other.save()

    ours = SessionStore(other.session_key)

    assert ours.load() == {"theme": "dark"}
    assert (ours.key_salt, ours.serializer) == (other.key_salt, other.serializer)
    assert configured.SESSION_COOKIE_NAME == "sessionid"  # with https it has the prefix __Host-
    assert SessionStore.get_model_class() is db.SessionStore.get_model_class()
