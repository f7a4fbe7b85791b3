"""Remember which headers of a trusted proxy could not be read, for the log and for the doctor."""

from __future__ import annotations

import logging
import time
from typing import TypedDict

from django.core.cache import cache

from keys.upstream.redaction import redact

logger = logging.getLogger("estuary_admin.proxy")

CACHE_KEY = "unreadable-proxy-header:{}"
REMEMBERED_SECONDS = 7 * 24 * 3600
PROXY_HEADERS = ("X-Forwarded-For", "X-Forwarded-Proto")

_reported: set[str] = set()


class UnreadableHeader(TypedDict):
    value: str
    seen_at: float


def report_unreadable(header: str, value: str) -> None:
    """Log and remember the value once per process: every request of such a proxy has it."""
    if header in _reported:
        return
    _reported.add(header)
    shown = redact(ascii(value))[:100]
    logger.warning("proxy_header_unreadable", extra={"reason": f"{header}: {shown}"})
    found = UnreadableHeader(value=shown, seen_at=time.time())
    try:
        cache.set(CACHE_KEY.format(header), found, REMEMBERED_SECONDS)
    except Exception:  # the request is answered without the cache as well
        logger.warning("proxy_header_not_remembered", extra={"reason": header})


def unreadable_headers() -> dict[str, UnreadableHeader]:
    """The headers that some process could not read during the last week, by name."""
    found = {header: cache.get(CACHE_KEY.format(header)) for header in PROXY_HEADERS}
    return {header: value for header, value in found.items() if value}
