"""Sessions in the database, with a cache in front that never knows better than the database.

Django's own `cached_db` can bring an ended session back: when a reader puts it into the cache
while it is being deleted, or when the cache could not be told. Here neither happens: a reader looks
again after it has put, and while the cache may hold what it should not, nobody reads it.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial
from typing import Any

from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import connection, transaction

from estuary_admin.storage import sessions
from estuary_admin.storage.redis_cache import RedisAway

KEPT_FOR = 60  # seconds
DISTRUSTED = "sessions-distrusted"  # a row in the database, so that every process sees it


class SessionStore(sessions.SessionStore):
    def load(self) -> dict[str, Any]:
        name = _name(self.session_key)
        if (kept := _kept(name)) is not None:
            return kept
        found = self._get_session_from_db()  # type: ignore[attr-defined]
        if not found:
            return {}
        data: dict[str, Any] = self.decode(found.session_data)
        still = Session.objects.filter(
            session_key=found.session_key, session_data=found.session_data
        )
        _keep(name, data, min(KEPT_FOR, self.get_expiry_age(expiry=found.expire_date)))
        if not still.exists():  # changed or ended meanwhile, perhaps before we put it there
            _forget(name)
        return data


def on_change(instance: Session, **_: Any) -> None:
    """Connected to every save and deletion of a session, one by one or many at once."""
    name = _name(instance.session_key)
    _forget(name)
    if connection.in_atomic_block:  # until the commit others may still put the old one there
        transaction.on_commit(partial(_forget, name))


def _name(session_key: str | None) -> str:
    # Who can read the cache's names must not be able to use them as cookies.
    return "session:" + hashlib.sha256(str(session_key).encode()).hexdigest()


def _kept(name: str) -> dict[str, Any] | None:
    if distrust.is_on():
        return None
    try:
        whose, data = caches["sessions"].get(name) or ("", None)
    except RedisAway:
        return None
    return data if whose == name else None  # no session may be copied over another


def _keep(name: str, data: dict[str, Any], seconds: int) -> None:
    if distrust.is_on():
        return
    try:
        caches["sessions"].set(name, (name, data), seconds)
    except RedisAway:
        return


def _forget(name: str) -> None:
    try:
        caches["sessions"].delete(name)
    except RedisAway:
        distrust.begin()


class Distrust:
    """From a change that the cache was not told of, until it has forgotten all from before."""

    LENGTH = 3 * KEPT_FOR
    LOOK = 1  # seconds between looks into the database

    def __init__(self) -> None:
        self._begun = self._looked = -float(self.LENGTH)
        self._seen = False

    def begin(self) -> None:
        now = time.monotonic()
        self._seen, self._looked = True, now
        if now - self._begun > KEPT_FOR:
            caches["database"].set(DISTRUSTED, "yes", self.LENGTH)
            self._begun = now

    def is_on(self) -> bool:
        now = time.monotonic()
        if now - self._looked > self.LOOK:
            self._seen = caches["database"].get(DISTRUSTED) is not None
            self._looked = now
        return self._seen


distrust = Distrust()
