"""Masks in logs and reports: tokens, and the secrets in addresses that work without a sign-in."""

from __future__ import annotations

import re

from keys.upstream.redaction import redact

#: The secret of a link, wherever it is; that of a calendar feed behind its path.
_SECRETS = re.compile(r"(?<=/feeds/)[A-Za-z0-9_-]{43}|(?<=link-)[A-Za-z0-9_-]{43}")


def mask_secrets(text: str) -> str:
    """The text with every token as `EST…`, and every secret of an address as `…`."""
    masked = redact(text)
    if "/feeds/" not in masked and "link-" not in masked:
        return masked
    return _SECRETS.sub("…", masked)
