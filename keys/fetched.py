"""What Estuary told us, and when: fetched now, kept from before, or stale while it has trouble.

Lists, stats and background jobs share this; nothing here needs a request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from keys.upstream import UpstreamError

#: A last known answer is shown for this long, while Estuary gives no new one.
KEEP_FETCHED = timedelta(hours=24)


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of Estuary with its time; subclasses add what was answered.

    `stale_reason` says as a sentence why this is not fresh, "" when it is.
    """

    fetched_at: datetime  # by our clock
    node_time: datetime | None = None  # the node's `Date` of that answer
    stale_reason: str = ""

    @property
    def is_stale(self) -> bool:
        return bool(self.stale_reason)

    @property
    def clock_difference(self) -> timedelta:
        """How far the node's clock is ahead of ours; zero when the node did not tell."""
        return self.node_time - self.fetched_at if self.node_time else timedelta()

    def node_now(self, now: datetime) -> datetime:
        """The node's clock at the moment `now` of ours: it judges whether a key has expired."""
        return now + self.clock_difference

    def age(self, now: datetime) -> timedelta:
        """Never negative: a clock that was set back makes nothing recent."""
        return abs(now - self.fetched_at)


F = TypeVar("F", bound=Fetched)


def fetch_or_keep(fetch: Callable[[], F], last_known: Callable[[], F | None]) -> F:
    """Ask Estuary; when it has trouble, answer with what was last known, marked as stale.

    Raises UpstreamError when nothing is known, and when Estuary refuses the token: what it told
    to a token that is valid no longer is not shown.
    """
    try:
        return fetch()
    except UpstreamError as error:
        known = None if error.is_about_token else last_known()
        if known is None:
            raise
        return msgspec.structs.replace(known, stale_reason=error.sentence)
