"""The part of Estuary's user API that we use: keys, stats, export.

Its nodes come in three generations, recorded in tests/contract: current (v0.1.11 and later),
legacy (v0.1.1 to v0.1.10) and vintage (before). Replies tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, urlencode

from .durations import to_go
from .errors import NotPermitted, RateLimited, TokenRejected, UnexpectedReply, UpstreamError
from .export import Export
from .node import Node, json_of, nothing_else
from .observers import Endpoint
from .redaction import Secret
from .schemas import Listing, read_created, read_keys, read_stats
from .types import ApiKey, CreatedKey, KeyList, KeySpec, Stats

_MAX_LIST_BODY = 64 * 1024 * 1024
_MAX_CREATED_BODY = 1024 * 1024  # a label of 10 KB may come back sixfold, as \u003c
_MAX_BODY = 64 * 1024
_REVOKE_PAUSE = 0.01  # seconds: all members share 200 requests a second
_ERRORS_FOR_ALL_KEYS = (TokenRejected, NotPermitted, RateLimited)


@dataclass(frozen=True, slots=True)
class Revoker:
    """A fresh list, and a function that revokes a key of it.

    `revoke` returns what `EstuaryClient.revoke_key` returns or raises, or None when no time is
    left. The caller sees to the pace: all members share 200 requests a second.
    """

    keys: KeyList
    revoke: Callable[[str], bool | UpstreamError | None] = field(repr=False)


class EstuaryClient:
    """Calls Estuary for one member, for one page view.

    `timeout` (seconds) bounds all its calls together, counted from the first. A change gets at
    most 60 % of it and leaves a quarter, so that there is time to list the keys afterwards.
    `forwarded_for` is the member's IP address, by which Estuary then counts its rate limit.
    `proxy` is the address of an HTTP proxy to reach an https node through, "" for none.
    Raises ValueError for a base URL that is not plain http(s)://host[:port][/prefix], and for a
    proxy with an http node. Every method raises UpstreamError, a subclass for each failure.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout: float = 15.0,
        *,
        forwarded_for: str = "",
        proxy: str = "",
    ) -> None:
        self._node = Node(base_url, token, timeout, forwarded_for, proxy)

    def list_keys(self) -> KeyList:
        """All keys of the account: expired ones, session keys and the calling key included."""
        return self._list().keys

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """Make a key. Never retried; a second call makes a second key.

        The expiry is what Estuary answered. Parameters go in the query, because Estuary ignores a
        body, and fully encoded, because Go drops one with a raw `;` silently.
        """
        parameters = {
            "expiry": to_go(spec.lifetime),
            "perms": spec.permission.value,
            "label": spec.label,
        }
        query = urlencode(parameters, quote_via=quote, safe="")
        target = Secret(f"/user/api-keys?{query}")
        return self._node.change(
            Endpoint.CREATE, "POST", target, _MAX_CREATED_BODY, json_of(read_created)
        )

    def revoke_key(
        self, token_hash: str, on_listed: Callable[[KeyList], None] | None = None
    ) -> bool:
        """Revoke a key. False when Estuary does not list it: then nothing was sent.

        `on_listed` gets the list that is read first, before anything is sent. True means only that
        Estuary answered 200, which it does for any text: only a list taken afterwards tells
        whether the key is gone. It may work for 10 seconds more.
        """
        listing = self._list([token_hash])
        if on_listed:
            on_listed(listing.keys)
        return self._revoke(listing, token_hash)

    def revoke_keys(
        self, token_hashes: Iterable[str]
    ) -> Iterator[tuple[str, bool | UpstreamError | None]]:
        """Revoke several keys in the given order, after one fresh list, which may raise.

        Each hash comes with what `revoke_key` would return or raise, or None when time ran out
        before it was tried. An error that all other keys would meet too (the token is refused,
        Estuary is busy) is given for the rest without asking again.
        """
        wanted = list(dict.fromkeys(token_hashes))
        return self._revoke_each(self._list(frozenset(wanted)), wanted)

    def open_revoker(self, token_hashes: Collection[str]) -> Revoker:
        """List once, to revoke these keys one by one, from any thread; the list may raise."""
        listing = self._list(frozenset(token_hashes))
        return Revoker(listing.keys, partial(self._try_to_revoke, listing))

    def stats(self) -> Stats:
        """How much the account stores. This is also the cheapest way to test a token."""
        return self._node.get(Endpoint.STATS, "/user/stats", _MAX_BODY, json_of(read_stats))

    def open_export(self, first_byte_timeout: float = 900.0, idle_timeout: float = 60.0) -> Export:
        """Start an export and wait for its first bytes; the caller must close it.

        Estuary builds all of it first: `first_byte_timeout` (seconds) bounds that, and
        `idle_timeout` each pause afterwards. Neither counts towards the client's own timeout.
        Never retried: Estuary would go on with the first one and do the work twice.
        """
        return self._node.open_export("/user/export", first_byte_timeout, idle_timeout)

    def _list(self, wanted: Collection[str] = ()) -> Listing:
        read = json_of(lambda body, clock: read_keys(body, clock, wanted))
        return self._node.get(Endpoint.LIST, "/user/api-keys", _MAX_LIST_BODY, read)

    def _revoke(self, listing: Listing, token_hash: str) -> bool:
        """Send one DELETE; its only good answer is 200 with an empty body."""
        key = listing.keys.find(token_hash)
        if key is None and listing.keys.unreadable:
            raise UnexpectedReply("shape", maybe_carried_out=False)  # it may be one of those
        if key is None:
            return False
        target = _revoke_target(key, listing)
        return self._node.change(Endpoint.REVOKE, "DELETE", target, _MAX_BODY, nothing_else)

    def _revoke_each(
        self, listing: Listing, wanted: list[str]
    ) -> Iterator[tuple[str, bool | UpstreamError | None]]:
        result: bool | UpstreamError | None = False
        for token_hash in wanted:
            if not isinstance(result, _ERRORS_FOR_ALL_KEYS):
                time.sleep(_REVOKE_PAUSE if result else 0)
                result = self._try_to_revoke(listing, token_hash)
            yield token_hash, result

    def _try_to_revoke(self, listing: Listing, token_hash: str) -> bool | UpstreamError | None:
        if not self._node.may_change():
            return None
        try:
            return self._revoke(listing, token_hash)
        except UpstreamError as error:
            return error


def _revoke_target(key: ApiKey, listing: Listing) -> Secret:
    """The path that revokes a key: the hash as it is, because Estuary decodes nothing in it.

    A key made before v0.1.11 has no hash at Estuary; only its token revokes it.
    """
    name = listing.tokens[key.token_hash].reveal() if key.needs_token else key.token_hash
    return Secret(f"/user/api-keys/{name}")
