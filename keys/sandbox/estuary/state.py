"""The state of the node: users, their keys, what they store; and the changes to it."""

from __future__ import annotations

import hashlib
import random
import threading
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from keys.sandbox.estuary.contents import Holdings
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.wire.golang import json_string, rfc3339

USER_LEVEL = 2  # for /user; /viewer needs UPLOAD_LEVEL only
UPLOAD_LEVEL = 1
LEVELS = {"upload": UPLOAD_LEVEL, "user": USER_LEVEL, "admin": 10}
ERAS = ("current", "transitional", "legacy")


def hash_of(token: str) -> str:
    """Estuary's id of a key: unpadded base64url SHA-256 of the whole token, 43 characters.

    Not shared with `keys.upstream`, which is tested against this node.
    """
    digest = hashlib.sha256(token.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(slots=True, eq=False)
class Key:
    """One row of `auth_tokens`; `expiry` in nanoseconds since 1970, as exact as it is stored.

    `era` is the version that wrote the row: "current" (v0.2.0 and later: only the hash is listed),
    "transitional" (v0.1.11: token and hash), "legacy" (before: the token alone, no label).
    """

    user: User
    token: str = field(repr=False)
    label: str
    expiry: int
    upload_only: bool = False
    is_session: bool = False
    era: str = "current"
    row: bytes = b""

    @property
    def token_hash(self) -> str:
        """The hash as listed: a legacy row has none."""
        return "" if self.era == "legacy" else hash_of(self.token)

    def rendered(self, generation: Generation) -> bytes:
        """The row of the key list, rendered once."""
        if not self.row:
            token = "" if generation.hashed_keys and self.era == "current" else self.token
            self.row = key_json(self, generation, token, self.expiry)
        return self.row


@dataclass(slots=True, eq=False)
class User:
    """One account; `level` is Estuary's permission number (1 upload, 2 user, 10 admin)."""

    id: int
    name: str
    level: int
    holdings: Holdings
    created: int
    first_content: int
    keys: dict[str, Key] = field(default_factory=dict, repr=False)  # by token, oldest first
    exists: bool = True


def key_json(key: Key, generation: Generation, token: str, expiry: int) -> bytes:
    """A key as the list and the answer to a create show it."""
    if not generation.hashed_keys:
        return f'{{"token":"{token}","expiry":"{rfc3339(expiry)}"}}'.encode()
    old = key.era == "legacy"
    session = key.is_session and key.era == "current"
    return (
        f'{{"token":"{token}","tokenHash":"{key.token_hash}",'
        f'"label":{json_string("" if old else key.label)},"expiry":"{rfc3339(expiry)}",'
        f'"isSession":{"true" if session else "false"}}}'
    ).encode()


class State:
    """All users and keys; safe to change from any thread.

    `on_change` is called after every change with its kind ("user", "key", "revoked") and subject.
    """

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.keys: dict[str, Key] = {}  # by token
        self._by_hash: dict[str, Key] = {}
        self._contents = 0
        self._lock = threading.Lock()
        self.on_change: Callable[[str, User | Key], None] = lambda _kind, _subject: None

    def add_user(self, name: str, level: int, holdings: Holdings, created: int) -> User:
        """Add an account; raises ValueError when the name is taken."""
        with self._lock:
            if name in self.users:
                raise ValueError(f"there is a user {name!r} already")
            user = User(len(self.users) + 1, name, level, holdings, created, self._contents + 1)
            self._contents += holdings.contents
            self.users[name] = user
            self.on_change("user", user)
        return user

    def add_key(self, key: Key) -> Key:
        """Put a key into its user's list; raises ValueError when the token is taken."""
        with self._lock:
            if key.token in self.keys:
                raise ValueError("this token is in use already")
            self.keys[key.token] = key
            if key.token_hash:
                self._by_hash[key.token_hash] = key
            key.user.keys[key.token] = key
            self.on_change("key", key)
        return key

    def unused_token(self, chance: random.Random) -> str:
        """A token of Estuary's form; a state file may already hold those of the same seed."""
        while True:
            token = f"EST{uuid.UUID(int=chance.getrandbits(128), version=4)}ARY"
            if token not in self.keys:
                return token

    def listed_as(self, name: str, generation: Generation) -> Key | None:
        """The key that a DELETE names: by token, in the current generation also by listed hash."""
        found = self.keys.get(name)
        return found or (self._by_hash.get(name) if generation.hashed_keys else None)

    def remove_key(self, key: Key) -> None:
        """Revoke a key; it is never listed again. Revoking it twice is no error."""
        with self._lock:
            if self.keys.pop(key.token, None) is None:
                return
            self._by_hash.pop(key.token_hash, None)
            del key.user.keys[key.token]
            self.on_change("revoked", key)
