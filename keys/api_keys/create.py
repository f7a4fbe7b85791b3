"""Creating a key exactly once, and reporting what is known of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from estuary_admin.storage.connections import release_connection
from keys import throttles
from keys.actors import Actor
from keys.api_keys.conclusions import Conclusion, record_conclusion
from keys.api_keys.lost_creations import find_after_lost_answer, find_out_late
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, StoredToken
from keys.policy.enforce import check_new_key
from keys.token.stored_tokens import client_for
from keys.upstream import CreatedKey, KeySpec, UpstreamError

Outcome = KeyCreation.Outcome

#: The member waits for the token meanwhile, so it is shown after this time in any case.
CHECK_SECONDS = 3.0
UNREADABLE_LIST = "Estuary's list could not be read whole."


@dataclass(frozen=True, slots=True)
class Creation:
    """The outcome of one submitted form. Only the answer to the first submit holds `created`."""

    record: KeyCreation
    created: CreatedKey | None = field(default=None, repr=False)
    is_repeated: bool = False
    sentence: str = ""  # the trouble on the way, if there was any


def create_key(
    actor: Actor, stored: StoredToken, spec: KeySpec, nonce: str, purpose: str = ""
) -> Creation:
    """Create one key for one nonce, however often the form arrives.

    The list is read before, so that a key whose answer was lost can be told from those that were
    there. Raises UpstreamError, TooOften or PolicyRefused when it is certain that no key was made.
    """
    if first := KeyCreation.objects.filter(nonce=nonce, member=actor.member).first():
        return _repeated(actor, stored, first)
    throttles.check(actor, Action.KEY_CREATE_REQUESTED)
    client = client_for(stored, actor)
    before = client.list_keys()
    check_new_key(actor, spec, purpose, before)
    try:
        record = _claim(actor, spec, nonce, purpose)
    except IntegrityError:
        return _repeated(actor, stored, KeyCreation.objects.get(nonce=nonce))
    try:
        created = client.create_key(spec)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            record_conclusion(
                actor, stored, record, Conclusion(Outcome.NOT_CREATED, reason=error.code)
            )
            raise
        outcome, token_hash = find_after_lost_answer(client, spec, before)
        record_conclusion(actor, stored, record, Conclusion(outcome, token_hash, error.code))
        return Creation(record, sentence=error.what)  # the outcome says what it led to
    outcome, doubt = _checked(actor, stored, created)
    reason = "" if outcome is Outcome.CREATED else "not-listed"
    record_conclusion(actor, stored, record, Conclusion(outcome, created.token_hash, reason))
    return Creation(record, created, sentence=doubt)


def _claim(actor: Actor, spec: KeySpec, nonce: str, purpose: str) -> KeyCreation:
    with transaction.atomic():
        record = KeyCreation.objects.create(
            nonce=nonce,
            member=actor.known_member,
            member_name=actor.known_member.get_username(),
            label=spec.label,
            permission=spec.permission,
            lifetime=spec.lifetime,
            purpose=purpose,
        )
        record_action(actor, Action.KEY_CREATE_REQUESTED, AuditOutcome.STARTED)
    return record


def _checked(actor: Actor, stored: StoredToken, created: CreatedKey) -> tuple[Outcome, str]:
    """Read the list back: a node that answers 200 may have made nothing.

    Returns the outcome, and why it could not be checked. The database is not used: the token
    must reach the member even when it is away.
    """
    timeout = min(CHECK_SECONDS, settings.ESTUARY_TIMEOUT)
    try:
        listed = client_for(stored, actor, timeout=timeout).list_keys()
    except UpstreamError as error:
        return Outcome.CREATED, error.what
    if listed.find(created.token_hash):
        return Outcome.CREATED, ""
    if listed.unreadable:
        return Outcome.CREATED, UNREADABLE_LIST
    return Outcome.UNLISTED, ""


def _repeated(actor: Actor, stored: StoredToken, record: KeyCreation) -> Creation:
    """Wait for the first submit's outcome, as long as it may take."""
    patience = timedelta(seconds=settings.ESTUARY_TIMEOUT)
    end = time.monotonic() + settings.ESTUARY_TIMEOUT  # the clock may be set meanwhile
    while record.outcome == Outcome.REQUESTED and not record.is_overdue(patience):
        if time.monotonic() > end:
            break
        release_connection()
        time.sleep(0.1)
        record.refresh_from_db()
    if record.outcome == Outcome.REQUESTED:
        find_out_late(actor, stored, record)
    if record.outcome == Outcome.REQUESTED:
        record.outcome = Outcome.UNKNOWN  # not saved: the first submit may still conclude
    return Creation(record, is_repeated=True)
