"""Audit rows as JSON lines for a collector: `AUDIT_STREAM` is stdout or syslog."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC
from typing import Any

from django.conf import settings

from keys.audit.vocabulary import action_words, known_action
from keys.models import AuditEntry

logger = logging.getLogger("estuary_admin.audit")

#: Some readers end a line at these separators; a lone surrogate cannot be encoded.
_unsafe_in_line = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]").sub


def send(entry: AuditEntry) -> None:
    """Send one committed row; nothing is sent while `AUDIT_STREAM` is not set."""
    if settings.AUDIT_STREAM:
        logger.info(json_line(as_facts(entry)))


def json_line(facts: Any) -> str:
    """Facts as JSON that every reader takes for one line, and every encoder accepts."""
    return _unsafe_in_line(_escaped, json.dumps(facts, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def as_facts(entry: AuditEntry) -> dict[str, Any]:
    """A row as collectors and downloads get it; the member names, no links."""
    action, at = known_action(entry.action), entry.moment
    text = at.astimezone(UTC).isoformat(timespec="microseconds") if at else ""
    return {
        "sequence": entry.sequence,
        "at": text.replace("+00:00", "Z"),
        "action": entry.action,
        "words": action_words(entry.action),
        "owasp": action.owasp if action else "",
        "severity": str(action.severity) if action else "",
        "outcome": entry.outcome,
        "actor": entry.actor_name,
        "job": entry.job,
        "member": entry.on_behalf_of_name,
        "key": entry.token_hash,
        "address": entry.address,
        "request_id": entry.request_id,
        "detail": entry.detail,
        "hash": entry.row_hash,
    }
