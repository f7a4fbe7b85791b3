"""Sessions in the database, found only by keys that can be keys."""

from __future__ import annotations

import re

from django.contrib.sessions.backends import db

KEY = re.compile(r"[a-z0-9]{32}")


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie can spell any character, and PostgreSQL refuses to look for NUL.
        return key is not None and KEY.fullmatch(key) is not None
