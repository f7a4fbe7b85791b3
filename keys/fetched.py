"""An answer of Estuary with its time: fetched now, kept, or stale while Estuary has trouble.

Lists, stats and background jobs share this; nothing here needs a request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from keys.upstream import NodeClock, UpstreamError, describe

#: A last known answer is shown for this long, while Estuary gives no new one.
KEEP_FETCHED = timedelta(hours=24)
CLOCK_TOLERANCE = timedelta(seconds=30)


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of Estuary with its time; subclasses add what was answered.

    `stale_reason` says as a sentence why this is not fresh, "" when it is. `clock_ahead` is how
    far the node's clock was ahead of ours; zero when the answer had no date.
    """

    fetched_at: datetime  # by our clock
    clock_ahead: timedelta = timedelta()
    stale_reason: str = ""

    @property
    def is_stale(self) -> bool:
        return bool(self.stale_reason)

    def node_now(self, now: datetime) -> datetime:
        """The node's clock at the moment `now` of ours: it decides whether a key has expired."""
        return now + self.clock_ahead

    def earlier_now(self, now: datetime) -> datetime:
        """The earlier of the two clocks: what has expired by it has expired by both."""
        return min(now, self.node_now(now))

    @property
    def clock_shift(self) -> timedelta:
        """The difference between the clocks where it is worth telling, else zero."""
        return clock_shift(self.clock_ahead)

    @property
    def clock_warning(self) -> str:
        """A sentence about clocks that differ; "" when they agree."""
        return clock_warning(self.clock_ahead)

    def age(self, now: datetime) -> timedelta:
        """Never negative: after our clock was set back, an answer from later is not recent."""
        return abs(now - self.fetched_at)


F = TypeVar("F", bound=Fetched)


def fetch_or_keep(
    fetch: Callable[[], F], last_known: Callable[[], F | None], forget: Callable[[], object]
) -> F:
    """Ask Estuary; when it has trouble, answer with what was last known, marked as stale.

    Raises UpstreamError when nothing is known, and when Estuary refuses the token: what it told
    to a token that is no longer valid is not shown, now or on the next page.
    """
    try:
        return fetch()
    except UpstreamError as error:
        if error.is_about_token:
            forget()
            raise
        known = last_known()
        if known is None:
            raise
        return msgspec.structs.replace(known, stale_reason=error.sentence)


def digest_of(*facts: object) -> str:
    """A short name for these facts, the same in every process."""
    packed = msgspec.msgpack.encode(facts)
    return hashlib.blake2b(packed, digest_size=12).hexdigest()


def ahead_of(clock: NodeClock | None) -> timedelta:
    """How far the node's clock was ahead of ours; zero when the answer had no date."""
    return clock.ahead if clock else timedelta()


def clock_shift(ahead: timedelta) -> timedelta:
    """A difference between the clocks where it is worth telling, else zero."""
    return ahead if abs(ahead) > CLOCK_TOLERANCE else timedelta()


def clock_warning(ahead: timedelta) -> str:
    """A warning for the member when the node's clock and ours differ; "" when they agree."""
    if not clock_shift(ahead):
        return ""
    unit = timedelta(minutes=1) if abs(ahead) >= timedelta(minutes=2) else timedelta(seconds=1)
    apart = describe(round(abs(ahead) / unit) * unit)
    where = "ahead of" if ahead > timedelta() else "behind"
    return (
        f"Estuary's clock is {apart} {where} this console's. Estuary's clock decides when a key "
        "expires, so this page goes by it."
    )
