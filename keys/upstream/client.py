"""Estuary's user API, as far as we use it: keys, stats, export.

Its nodes come in three generations, recorded in tests/contract: current (v0.1.11 and later),
legacy (v0.1.1 to v0.1.10) and vintage (before). Which one answers is told from its replies.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote, urlencode

from .calls import Calls, json_of, nothing_else
from .durations import to_go
from .errors import NotPermitted, RateLimited, TokenRejected, UnexpectedReply, UpstreamError
from .export import Export
from .http import Node
from .listing import Listing, read_keys
from .observing import Endpoint
from .redaction import Secret
from .replies import read_created, read_stats
from .types import ApiKey, CreatedKey, KeyList, KeySpec, Stats

_LIST_MOST = 64 * 1024 * 1024
_CREATED_MOST = 1024 * 1024  # a label of 10 KB may come back sixfold, as \u003c
_MOST = 64 * 1024
_PACE = 0.01  # seconds between revocations: all our members share 200 requests a second
_HOLD_FOR_ALL = (TokenRejected, NotPermitted, RateLimited)


class EstuaryClient:
    """One member's view of an Estuary node, for one page view.

    `timeout` (seconds) bounds all its calls together, counted from the first; a change gets at
    most 60 % of it and leaves a quarter, so that one can still list again what became of it.
    `forwarded_for` is the member's IP address, by which Estuary then counts its rate limit.
    Raises ValueError for a base URL that is not plain http(s)://host[:port][/prefix]; every
    method raises UpstreamError, a subclass for each way to fail.
    """

    def __init__(
        self, base_url: str, token: str, timeout: float = 15.0, *, forwarded_for: str = ""
    ) -> None:
        self._calls = Calls(Node(base_url, token, forwarded_for), timeout)

    def list_keys(self) -> KeyList:
        """All keys of the account: expired ones, session keys and the calling key included."""
        return self._list().keys

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """Make a key, once: never repeated by us, and not idempotent when the caller repeats it.

        The expiry is what Estuary answered. Parameters go in the query, for Estuary ignores a
        body, and fully encoded, for Go drops one with a raw `;` without a word.
        """
        parameters = {
            "expiry": to_go(spec.lifetime),
            "perms": spec.permission.value,
            "label": spec.label,
        }
        query = urlencode(parameters, quote_via=quote, safe="")
        target = Secret(f"/user/api-keys?{query}")
        return self._calls.change(
            Endpoint.CREATE, "POST", target, _CREATED_MOST, json_of(read_created)
        )

    def revoke_key(self, token_hash: str) -> bool:
        """Revoke a key. False when Estuary does not list it: then nothing was sent.

        True means no more than that Estuary answered 200, which it does for any key whatever:
        only a list taken afterwards tells. The key may work for 10 seconds more.
        """
        return self._revoke(self._list([token_hash]), token_hash)

    def revoke_keys(
        self, token_hashes: Iterable[str]
    ) -> Iterator[tuple[str, bool | UpstreamError | None]]:
        """Revoke several keys in the given order, after one fresh list, which may raise.

        With each hash comes what `revoke_key` would return or raise, or None when it was not
        tried because time ran out. An error that would meet all others too (the token is
        refused, Estuary is busy) is given for the rest without asking again.
        """
        wanted = list(dict.fromkeys(token_hashes))
        return self._revoke_each(self._list(frozenset(wanted)), wanted)

    def stats(self) -> Stats:
        """How much the account stores. Also the cheapest way to test a token."""
        return self._calls.get(Endpoint.STATS, "/user/stats", _MOST, json_of(read_stats))

    def open_export(self, first_byte_timeout: float = 900.0, idle_timeout: float = 60.0) -> Export:
        """Start an export and wait for its first bytes; the caller must close it.

        Estuary first builds all of it: `first_byte_timeout` (seconds) is for that, and
        `idle_timeout` for each pause after. Neither counts towards the client's own timeout.
        Never retried: Estuary would go on with the first, and do double work.
        """
        return self._calls.open_export("/user/export", first_byte_timeout, idle_timeout)

    def _list(self, wanted: Collection[str] = ()) -> Listing:
        read = json_of(lambda body, clock: read_keys(body, clock, wanted))
        return self._calls.get(Endpoint.LIST, "/user/api-keys", _LIST_MOST, read)

    def _revoke(self, listing: Listing, token_hash: str) -> bool:
        """Send one DELETE, whose only good answer is 200 with nothing in it."""
        key = listing.keys.find(token_hash)
        if key is None and listing.keys.unreadable:
            raise UnexpectedReply("shape", maybe_carried_out=False)  # it may be one of those
        if key is None:
            return False
        target = _target(key, listing)
        return self._calls.change(Endpoint.REVOKE, "DELETE", target, _MOST, nothing_else)

    def _revoke_each(
        self, listing: Listing, wanted: list[str]
    ) -> Iterator[tuple[str, bool | UpstreamError | None]]:
        result: bool | UpstreamError | None = False
        for token_hash in wanted:
            if not isinstance(result, _HOLD_FOR_ALL):
                time.sleep(_PACE if result else 0)
                result = self._try_to_revoke(listing, token_hash)
            yield token_hash, result

    def _try_to_revoke(self, listing: Listing, token_hash: str) -> bool | UpstreamError | None:
        if not self._calls.may_change():
            return None
        try:
            return self._revoke(listing, token_hash)
        except UpstreamError as error:
            return error


def _target(key: ApiKey, listing: Listing) -> Secret:
    """The path that revokes a key: the hash as it is, for Estuary decodes nothing in it.

    Of a key that Estuary knows by no hash (made before v0.1.11) only the token will do.
    """
    name = listing.tokens[key.token_hash].reveal() if key.needs_token else key.token_hash
    return Secret(f"/user/api-keys/{name}")
