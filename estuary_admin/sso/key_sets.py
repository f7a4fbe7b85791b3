"""Public keys from the one configured address, kept for a bounded time when it is down."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from jwt import PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWKClientConnectionError, PyJWTError

TIMEOUT = 5.0
FRESH = 300.0  # seconds for which a set is not asked for again, unless an unknown key comes
KEPT = 3600.0  # seconds after the last good answer for which its keys still hold
REST = 10.0  # seconds without asking after a failure: members do not wait for it one by one


class KeySet(PyJWKClient):
    """One for each address and process."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout=TIMEOUT, lifespan=FRESH)
        self._good: dict[str, Any] | None = None
        self._good_at = self._failed_at = float("-inf")

    def fetch_data(self) -> Any:
        with self._client_lock:  # re-entrant: a lookup holds it already
            if time.monotonic() - self._failed_at < REST:
                return self._kept()
            try:
                found = super().fetch_data()
                self._get_signing_keys_from_jwk_set(PyJWKSet.from_dict(found))
            except (PyJWTError, ValueError, OSError):
                self._failed_at = time.monotonic()
                return self._kept()
            self._good, self._good_at = found, time.monotonic()
            return found

    def _kept(self) -> dict[str, Any]:
        if self._good is None or time.monotonic() - self._good_at > KEPT:
            raise PyJWKClientConnectionError("no keys")
        return self._good


@cache
def key_set(url: str) -> KeySet:
    return KeySet(url)
