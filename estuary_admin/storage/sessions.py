"""Sessions in the database, found only by keys that can be keys."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from estuary_admin.storage.prepared_queries import Prepared

KEY = re.compile(r"[a-z0-9]{32}")


class SessionStore(db.SessionStore):
    def load(self) -> dict[str, Any]:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        for (data,) in _living().rows(self.session_key, now):
            kept: dict[str, Any] = self.decode(data)
            return kept
        self._session_key = None  # the next one shall have a key of our own making
        return {}

    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie can spell any character, and PostgreSQL refuses to look for NUL.
        return key is not None and KEY.fullmatch(key) is not None


@cache
def _living() -> Prepared[Session]:
    # One after the other: a single filter() would put its conditions in alphabetical order.
    found = Session.objects.filter(session_key="").filter(expire_date__gt=timezone.now())
    return Prepared(found.values_list("session_data"))
