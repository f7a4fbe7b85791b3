"""Rotating a key: a new one first, then the end of the old one, at once or after an overlap."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone

from estuary_admin.secrets.sealing import SealBroken
from keys.actors import Actor
from keys.api_keys import rotation_end
from keys.api_keys.create import Creation, create_key, created_before
from keys.api_keys.revoke_outcome import Revocation
from keys.api_keys.rotations import Replacement, state_after
from keys.models import Rotation, StoredToken
from keys.throttles import TooOften
from keys.token.replacing import adopt, keep_candidate
from keys.token.stored_tokens import NotConnected
from keys.upstream import KeySpec, UpstreamError

logger = logging.getLogger("estuary_admin.keys")

#: With less time than this, no call to Estuary is begun.
SHORTEST_CALL_SECONDS = 0.5


class OutOfTime(Exception):
    """The calls before took all the time that a page may take."""


#: What may go wrong once the new key exists; the worker tries again.
TROUBLE = (
    UpstreamError,
    TooOften,
    SealBroken,
    NotConnected,
    DatabaseError,
    rotation_end.BeingEnded,
    rotation_end.UsedByConsole,
    OutOfTime,
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one submitted form; `ended` is the old key's end, if this request tried it."""

    creation: Creation
    rotation: Rotation | None  # None: the form that was sent first was one of another page
    ended: Revocation | None = None
    console_hash: str = ""  # the key that the console works with now; "" when that is not known


def rotate_key(
    actor: Actor,
    stored: StoredToken,
    replaces: Replacement,
    spec: KeySpec,
    nonce: str,
    purpose: str = "",
) -> Rotated:
    """Create the new key, then end the old one if that is due already; else the worker ends it.

    Raises what `create_key` raises, when it is certain that no key was made.
    """
    end = time.monotonic() + settings.ESTUARY_TIMEOUT
    creation = create_key(actor, stored, spec, nonce, purpose, replaces=replaces)
    rotation = _rotation_of(creation)
    if creation.is_repeated or rotation is None:
        return Rotated(creation, rotation, console_hash=stored.token_hash)
    rotation.state = state_after(rotation, creation.record.outcome)
    if rotation.state is not Rotation.State.OVERLAP:
        return Rotated(creation, rotation, console_hash=stored.token_hash)
    ended, console_hash = None, stored.token_hash
    try:
        stored = _taken_over(actor, stored, rotation, creation, end)
        console_hash = stored.token_hash
        ended = _end_if_due(actor, stored, rotation, creation, end)
    except TROUBLE as error:
        # The new token must reach the member in any case.
        logger.warning("rotation_left_to_worker", extra={"reason": type(error).__name__})
        console_hash = "" if isinstance(error, NotConnected) else console_hash
    return Rotated(creation, rotation, ended, console_hash)


def rotated_before(actor: Actor, stored: StoredToken, nonce: str) -> Rotated | None:
    """The outcome of an earlier submit of the same form; None when this is the first one."""
    creation = created_before(actor, stored, nonce)
    if creation is None:
        return None
    return Rotated(creation, _rotation_of(creation), console_hash=stored.token_hash)


def _rotation_of(creation: Creation) -> Rotation | None:
    """Without a query right after the creation: the database may be away by then."""
    try:
        found: Rotation = creation.record.rotation
    except Rotation.DoesNotExist:
        return None
    return found


def _taken_over(
    actor: Actor, stored: StoredToken, rotation: Rotation, creation: Creation, end: float
) -> StoredToken:
    """Change the console over to the new key if the old one is its own; returns the stored token.

    The member is waiting for the new token: after `end` the worker goes on.
    """
    if rotation.old_hash != stored.token_hash or creation.created is None:
        return stored
    keep_candidate(stored, rotation, creation.created.token)
    return adopt(actor, stored, rotation, timeout=_time_until(end))


def _end_if_due(
    actor: Actor, stored: StoredToken, rotation: Rotation, creation: Creation, end: float
) -> Revocation | None:
    if rotation.keeps_old:
        return None
    # Without a doubt about the new key: the worker looks again before it ends the old one.
    if rotation.ends_at > timezone.now() or creation.sentence:
        return None
    return rotation_end.end_now(actor, stored, rotation, timeout=_time_until(end))


def _time_until(end: float) -> float:
    left = end - time.monotonic()
    if left < SHORTEST_CALL_SECONDS:
        raise OutOfTime
    return left
