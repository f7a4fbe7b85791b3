"""Sessions with a cache in front: quicker, and never against what the database says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from estuary_admin.storage import cached_sessions, redis_cache
from estuary_admin.storage.cached_sessions import SessionStore
from tests.backing import Backing
from tests.conftest import signed_in


@pytest.fixture(autouse=True)
def _told_of_changes(redis: Backing) -> Iterator[None]:
    """As AppConfig.ready does when there is a Redis at the start."""
    for signal in (post_save, post_delete):
        signal.connect(cached_sessions.on_change, sender=Session, dispatch_uid="in-tests")
    yield
    for signal in (post_save, post_delete):
        signal.disconnect(sender=Session, dispatch_uid="in-tests")


@pytest.fixture
def store(db: None) -> SessionStore:
    made = SessionStore()
    made["theme"] = "dark"
    made.save()
    return made


def read(store: SessionStore) -> dict[str, Any]:
    return SessionStore(store.session_key).load()


def test_it_is_read_from_the_database_once(
    store: SessionStore, django_assert_num_queries: Any
) -> None:
    assert read(store) == {"theme": "dark"}

    with django_assert_num_queries(0):
        assert read(store) == {"theme": "dark"}


def test_a_change_is_seen_at_once(store: SessionStore) -> None:
    read(store)
    store["theme"] = "light"
    store.save()

    assert read(store) == {"theme": "light"}


@pytest.mark.parametrize("how", ["one", "many"])
def test_an_ended_one_is_gone_at_once(store: SessionStore, how: str) -> None:
    read(store)
    if how == "one":
        SessionStore().delete(store.session_key)
    else:
        Session.objects.all().delete()

    assert read(store) == {}


def test_one_that_ends_while_it_is_put_there_does_not_stay(store: SessionStore) -> None:
    put = cached_sessions._keep

    def put_late(*args: Any) -> None:
        Session.objects.filter(session_key=store.session_key).delete()
        put(*args)

    with mock.patch.object(cached_sessions, "_keep", put_late):
        read(store)

    assert read(store) == {}


@pytest.mark.django_db(transaction=True)
def test_a_change_counts_again_when_it_is_committed(store: SessionStore) -> None:
    with transaction.atomic():
        store.delete()
        # What another process still sees and puts there until the commit:
        name = cached_sessions._name(store.session_key)
        caches["sessions"].set(name, (name, {"theme": "dark"}), 60)

    assert read(store) == {}


def test_one_that_ended_while_redis_was_away_does_not_come_back(
    store: SessionStore, redis: Backing
) -> None:
    assert read(store) == {"theme": "dark"}  # now kept by Redis, which has it on its disk, too
    redis.stop()
    store.delete()
    redis.start()
    redis_cache.guard._asked_again = 0.0

    assert read(store) == {}
    assert caches["sessions"].get(cached_sessions._name(store.session_key)) is not None
    # Another process, which has not failed itself:
    with mock.patch.object(cached_sessions, "distrust", cached_sessions.Distrust()):
        assert read(store) == {}


def test_the_cache_is_believed_again_when_it_has_forgotten(
    store: SessionStore, redis: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.stop()
    store.save()
    redis.start()
    redis_cache.guard._asked_again = 0.0
    assert cached_sessions.distrust.is_on()
    monkeypatch.setattr(cached_sessions.distrust, "_looked", time.monotonic() - 2)

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=200), tick=False):
        assert not cached_sessions.distrust.is_on()


def test_the_database_is_told_of_an_outage_once_a_minute(
    store: SessionStore, redis: Backing, django_assert_max_num_queries: Any
) -> None:
    redis.stop()
    store.save()

    with django_assert_max_num_queries(3):  # the savepoint and the session alone
        store.save()


def test_members_work_on_while_redis_is_away(alice: User, redis: Backing) -> None:
    client = signed_in(alice)
    assert client.get("/account/token/").status_code == 200
    redis.stop()

    assert client.get("/account/token/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/account/token/").status_code == 302


def test_a_session_copied_over_another_is_not_read(store: SessionStore, alice: User) -> None:
    admin = signed_in(alice)
    admin.get("/account/token/")
    theirs = cached_sessions._name(admin.session.session_key)
    caches["sessions"].set(cached_sessions._name(store.session_key), caches["sessions"].get(theirs))

    assert read(store) == {"theme": "dark"}


def test_names_in_redis_are_no_cookies(store: SessionStore, redis: Backing) -> None:
    read(store)
    client = caches["sessions"]._cache.get_client()  # type: ignore[attr-defined]

    [name] = client.keys("*session*")
    assert store.session_key not in name.decode()


def test_it_is_kept_no_longer_than_it_lives(store: SessionStore) -> None:
    store.set_expiry(5)
    store.save()
    read(store)
    client = caches["sessions"]._cache.get_client()  # type: ignore[attr-defined]

    assert 0 < client.ttl(client.keys("*session*")[0]) <= 5
