"""Public keys that verify assertions, from the one configured address.

Fetches happen outside the lock: while one request fetches, the others use the last good set.
"""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWTError
from requests import RequestException

from estuary_admin.sso.provider_http import fetch_json

FETCH_SECONDS = 5.0  # for a whole fetch
REFETCH_SECONDS = 300.0  # a set is used this long before it is fetched again
UNKNOWN_KEY_SECONDS = 30.0  # an unknown key id causes a fetch at most this often
LAST_GOOD_SECONDS = 3600.0  # while the address fails, the last good set is used this long
FAILURE_PAUSE_SECONDS = 10.0  # no fetch after a failure, so that members do not wait in turn


class KeySet:
    """The keys of one address; each process has one object for each address."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._fetching: threading.Event | None = None
        self._keys: list[PyJWK] = []
        self._fetched_at = self._failed_at = float("-inf")

    def key(self, kid: str) -> PyJWK:
        """The key with this id. Without an id the only key, as providers with one key mean it."""
        if not kid:
            keys = self.keys()
            if len(keys) > 1:
                raise PyJWKClientError("The assertion names none of several keys.")
            return keys[0]
        for is_unknown in (False, True):
            for key in self.keys(has_unknown_key=is_unknown):
                if key.key_id == kid:
                    return key
        raise PyJWKClientError("The key is not listed.")

    def keys(self, *, has_unknown_key: bool = False) -> list[PyJWK]:
        """All usable keys, fetched when they are old or when a key id is unknown."""
        with self._lock:
            if not self._is_fetch_due(has_unknown_key=has_unknown_key):
                return self._last_good()
            is_ours = self._fetching is None
            if not is_ours and self._has_good() and not has_unknown_key:
                return self._last_good()
            fetching = self._fetching = self._fetching or threading.Event()
        if is_ours:
            self._fetch(fetching)
        else:
            fetching.wait(2 * FETCH_SECONDS)
        with self._lock:
            return self._last_good()

    def _is_fetch_due(self, *, has_unknown_key: bool) -> bool:
        now = time.monotonic()
        age = now - self._fetched_at
        max_age = UNKNOWN_KEY_SECONDS if has_unknown_key else REFETCH_SECONDS
        return age > max_age and now - self._failed_at >= FAILURE_PAUSE_SECONDS

    def _fetch(self, fetching: threading.Event) -> None:
        keys: list[PyJWK] = []
        try:
            keys = usable_keys(fetch_json(self._url, FETCH_SECONDS))
        except (PyJWTError, RequestException, ValueError):
            pass
        finally:
            with self._lock:
                if keys:
                    self._keys, self._fetched_at = keys, time.monotonic()
                else:
                    self._failed_at = time.monotonic()
                self._fetching = None
            fetching.set()

    def _has_good(self) -> bool:
        return bool(self._keys) and time.monotonic() - self._fetched_at <= LAST_GOOD_SECONDS

    def _last_good(self) -> list[PyJWK]:
        if not self._has_good():
            raise PyJWKClientConnectionError("There are no keys.")
        return self._keys


def usable_keys(document: dict[str, Any]) -> list[PyJWK]:
    """The keys that can verify a signature but not make one; malformed ones are left out."""
    entries = document.get("keys")
    read = map(_read_key, entries if isinstance(entries, list) else [])
    found = [
        key
        for key in read
        if key and key.public_key_use in {"sig", None} and key.key_type in {"RSA", "EC", "OKP"}
    ]
    if not found:
        raise PyJWKClientError("The set has no keys for signatures.")
    return found


def _read_key(entry: object) -> PyJWK | None:
    try:
        return PyJWK(entry)  # type: ignore[arg-type] # anything may be in the list
    except (PyJWTError, AttributeError, TypeError, ValueError):
        return None


@cache
def key_set(url: str) -> KeySet:
    return KeySet(url)
