"""Creating a key exactly once, and finding out what happened when the answer is lost."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction

from keys import throttles
from keys.actors import Actor
from keys.api_keys.lost_creations import find_out_late
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, StoredToken
from keys.policy.enforce import check_new_key
from keys.token.stored_tokens import client_for, forget_list
from keys.upstream import CreatedKey, EstuaryClient, KeyList, KeySpec, UpstreamError, fingerprint_of

logger = logging.getLogger("estuary_admin.keys")

Outcome = KeyCreation.Outcome


@dataclass(frozen=True, slots=True)
class Creation:
    """What became of one submitted form. Only the answer to the first submit holds `created`."""

    record: KeyCreation
    created: CreatedKey | None = field(default=None, repr=False)
    is_repeated: bool = False
    sentence: str = ""  # the trouble on the way, if there was any


def create_key(
    actor: Actor, stored: StoredToken, spec: KeySpec, nonce: str, purpose: str = ""
) -> Creation:
    """Create one key for one nonce, however often the form arrives.

    The list is asked before, so that a key whose answer was lost can be told from those that were
    there. Raises UpstreamError, TooOften or PolicyRefused when surely no key was made.
    """
    if first := KeyCreation.objects.filter(nonce=nonce, member=actor.member).first():
        return _repeated(actor, stored, first)
    throttles.check(actor, Action.KEY_CREATE_REQUESTED)
    client = client_for(stored, actor)
    before = client.list_keys()
    check_new_key(actor, spec, purpose, before)
    try:
        record = _claim(actor, spec, nonce)
    except IntegrityError:
        return _repeated(actor, stored, KeyCreation.objects.get(nonce=nonce))
    try:
        created = client.create_key(spec)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            _conclude(actor, stored, record, Outcome.NOT_CREATED, reason=error.code)
            raise
        outcome, token_hash = _find_out(client, spec, before)
        _conclude(actor, stored, record, outcome, token_hash, reason=error.code)
        return Creation(record, sentence=error.what)  # what came of it, the outcome says
    _conclude(actor, stored, record, Outcome.CREATED, created.token_hash)
    return Creation(record, created)


def _claim(actor: Actor, spec: KeySpec, nonce: str) -> KeyCreation:
    with transaction.atomic():
        record = KeyCreation.objects.create(
            nonce=nonce,
            member=actor.known_member,
            member_name=actor.known_member.get_username(),
            label=spec.label,
            permission=spec.permission,
            lifetime=spec.lifetime,
        )
        record_action(actor, Action.KEY_CREATE_REQUESTED, AuditOutcome.STARTED)
    return record


def _find_out(client: EstuaryClient, spec: KeySpec, before: KeyList) -> tuple[Outcome, str]:
    """Look for a key that was not there before and bears our label (or none, on old nodes)."""
    try:
        after = client.list_keys()
    except UpstreamError:
        return Outcome.UNKNOWN, ""
    known = {key.token_hash for key in before.keys}
    has_labels = any(key.label for key in after.keys)
    label = spec.label if has_labels else ""
    new = {key.token_hash for key in after.keys if key.label == label} - known
    # One that another form made meanwhile is not lost: somebody has its token.
    new -= set(KeyCreation.objects.filter(token_hash__in=new).values_list("token_hash", flat=True))
    if not new:
        # A row that could not be read may be the one we look for.
        return Outcome.UNKNOWN if after.unreadable else Outcome.NOT_CREATED, ""
    # Two at once mean another form, too: which one is ours cannot be told.
    return Outcome.LOST, new.pop() if len(new) == 1 else ""


def _conclude(
    actor: Actor,
    stored: StoredToken,
    record: KeyCreation,
    outcome: Outcome,
    token_hash: str = "",
    reason: str = "",
) -> None:
    record.outcome, record.token_hash = outcome, token_hash
    try:
        with transaction.atomic():
            record.save(update_fields=["outcome", "token_hash"])
            forget_list(stored)
            record_action(
                actor,
                Action.KEY_CREATED,
                AUDITED[outcome],
                token_hash=token_hash,
                detail={"reason": reason} if reason else None,
            )
    except DatabaseError:
        # The key exists and its token must reach the member: what we note of it comes second.
        logger.exception(
            "key_creation_not_recorded", extra={"fingerprint": fingerprint_of(token_hash)}
        )


AUDITED = {
    Outcome.CREATED: AuditOutcome.DONE,
    Outcome.LOST: AuditOutcome.FAILED,
    Outcome.NOT_CREATED: AuditOutcome.FAILED,
    Outcome.UNKNOWN: AuditOutcome.UNKNOWN,
}


def _repeated(actor: Actor, stored: StoredToken, record: KeyCreation) -> Creation:
    """Wait for the first submit's outcome, as long as that may take."""
    patience = timedelta(seconds=settings.ESTUARY_TIMEOUT)
    end = time.monotonic() + settings.ESTUARY_TIMEOUT  # however the clock is set meanwhile
    while record.outcome == Outcome.REQUESTED and not record.is_overdue(patience):
        if time.monotonic() > end:
            break
        time.sleep(0.1)
        record.refresh_from_db()
    if record.outcome == Outcome.REQUESTED:
        find_out_late(actor, stored, record)
    if record.outcome == Outcome.REQUESTED:
        record.outcome = Outcome.UNKNOWN  # not saved: the first submit may still conclude
    return Creation(record, is_repeated=True)
