"""Packs cached values with msgpack: reading a tampered value runs no code, unlike with pickle."""

from __future__ import annotations

import time
from typing import Any

import msgspec

#: Part of each cache key, so that versions of the console do not read each other's values.
FORMAT_VERSION = 2
CLOCK_TOLERANCE_SECONDS = 5  # between machines that share a cache


def pack(value: Any) -> bytes:
    """Raises TypeError for what msgpack cannot hold; tuples come back as lists."""
    return msgspec.msgpack.encode(value)


def unpack(packed: bytes) -> Any:
    """Raises ValueError if this is not msgpack."""
    return msgspec.msgpack.decode(packed)


def is_from_the_future(written_at: float) -> bool:
    """Whether the clock was set back since; the value would otherwise live too long."""
    return written_at > time.time() + CLOCK_TOLERANCE_SECONDS
