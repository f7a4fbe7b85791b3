"""The only code that speaks HTTP to Estuary; it imports no Django."""

from __future__ import annotations

from .client import EstuaryClient, Revoker
from .durations import DurationError, describe, parse_lifetime, to_go
from .errors import (
    NotPermitted,
    RateLimited,
    TokenExpired,
    TokenRejected,
    TooManyContents,
    UnexpectedReply,
    UploadOnlyToken,
    UpstreamError,
    UpstreamFailed,
    UpstreamUnavailable,
)
from .export import Export
from .observers import Endpoint, LastSeen, last_seen
from .redaction import redact
from .types import (
    PERMANENT_FROM,
    ApiKey,
    CreatedKey,
    KeyList,
    KeySpec,
    NodeClock,
    Permission,
    Stats,
    fingerprint_of,
    hash_of,
)

__all__ = [
    "PERMANENT_FROM",
    "ApiKey",
    "CreatedKey",
    "DurationError",
    "Endpoint",
    "EstuaryClient",
    "Export",
    "KeyList",
    "KeySpec",
    "LastSeen",
    "NodeClock",
    "NotPermitted",
    "Permission",
    "RateLimited",
    "Revoker",
    "Stats",
    "TokenExpired",
    "TokenRejected",
    "TooManyContents",
    "UnexpectedReply",
    "UploadOnlyToken",
    "UpstreamError",
    "UpstreamFailed",
    "UpstreamUnavailable",
    "describe",
    "fingerprint_of",
    "hash_of",
    "last_seen",
    "parse_lifetime",
    "redact",
    "to_go",
]
