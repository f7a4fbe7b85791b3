"""How a member's stored token is doing, as far as Estuary's list and the token itself tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys.key_lists import current_list
from keys.api_keys.query import Status
from keys.api_keys.rows import KeyRow, rows_of
from keys.models import StoredToken
from keys.upstream import UpstreamError


@dataclass(frozen=True, slots=True)
class Health:
    level: str  # "ok", "warning" or "error"
    sentence: str
    row: KeyRow | None = None


def health_of(stored: StoredToken | None, actor: Actor, now: datetime) -> Health:
    """Find the stored token in the key list by its hash, and say how it is."""
    if stored is None:
        return Health("warning", "No Estuary key is connected.")
    try:
        listed = current_list(stored, actor, reuse=True)
    except UpstreamError as error:
        return Health("error" if error.is_about_token else "warning", error.sentence)
    except SealBroken:
        return Health(
            "error",
            "The stored token cannot be opened with this server's sealing keys. Connect it again.",
        )
    key = listed.find(stored.token_hash)
    if key is None and listed.doubt:
        return Health("warning", listed.doubt)
    if key is None:
        return Health("error", "Estuary no longer lists this key: it was revoked. Connect another.")
    [row] = rows_of([key], stored.token_hash, now)
    if listed.stale_reason:
        return Health("warning", listed.stale_reason, row)
    if row.status is Status.EXPIRING:
        return Health("warning", "It expires soon: connect another key before that.", row)
    return Health("ok", "Estuary lists it, and it works.", row)
