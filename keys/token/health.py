"""The health of a member's stored token, as far as Estuary's list and the token itself tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys.key_lists import Snapshot, current_list
from keys.api_keys.query import Status
from keys.api_keys.rows import KeyRow, rows_of
from keys.models import StoredToken
from keys.upstream import UpstreamError


@dataclass(frozen=True, slots=True)
class Health:
    """`as_of` is when Estuary last listed the key; None when no list tells about it."""

    level: str  # "ok", "warning" or "error"
    sentence: str
    row: KeyRow | None = None
    as_of: datetime | None = None
    clock_ahead: timedelta = timedelta()
    clock_warning: str = ""


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
    return _health_in(listed, stored, now)


def _health_in(listed: Snapshot, stored: StoredToken, now: datetime) -> Health:
    key = listed.find(stored.token_hash)
    if key is None and (doubt := listed.doubt_about(stored.token_hash)):
        return Health("warning", doubt, as_of=listed.fetched_at)
    if key is None:
        return Health(
            "error",
            "Estuary no longer lists this key: it was revoked. Connect another.",
            as_of=listed.fetched_at,
        )
    [row] = rows_of([key], stored.token_hash, listed.node_now(now))
    level, sentence = "ok", "Estuary lists it, and it works."
    if listed.stale_reason:
        level, sentence = "warning", listed.stale_reason
    elif row.status is Status.EXPIRING:
        level, sentence = "warning", "It expires soon: connect another key before then."
    return Health(level, sentence, row, listed.fetched_at, listed.clock_shift, listed.clock_warning)
