"""Creating a key exactly once, and reporting what is known of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from estuary_admin.storage.connections import release_connection
from estuary_admin.storage.prepared_queries import PreparedQuery
from keys import throttles
from keys.actors import Actor
from keys.api_keys import rotations
from keys.api_keys.conclusions import Conclusion, record_conclusion
from keys.api_keys.lost_creations import find_after_lost_answer, find_out_late
from keys.api_keys.rotations import CannotReplace, Plan, Replacement
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import KeyCreation, StoredToken
from keys.policy.enforce import check_new_key
from keys.policy.rules import PolicyRefused
from keys.throttles import TooOften
from keys.token.stored_tokens import client_for
from keys.upstream import CreatedKey, EstuaryClient, KeyList, KeySpec, UpstreamError

Outcome = KeyCreation.Outcome

#: The member is waiting for the token, so the page stops checking after this time.
CHECK_SECONDS = 3.0
#: Reasons for which no key was made.
REFUSALS = (UpstreamError, TooOften, PolicyRefused, CannotReplace)
UNREADABLE_LIST = "Estuary's list could not be read whole."
_of_nonce = PreparedQuery(KeyCreation.objects.filter(nonce="").filter(member=0))


@dataclass(frozen=True, slots=True)
class Creation:
    """The outcome of one submitted form. Only the answer to the first submit holds `created`."""

    record: KeyCreation
    created: CreatedKey | None = field(default=None, repr=False)
    is_repeated: bool = False
    sentence: str = ""  # the trouble on the way, if there was any


def create_key(
    actor: Actor,
    stored: StoredToken,
    spec: KeySpec,
    nonce: str,
    purpose: str = "",
    *,
    replaces: Replacement | None = None,
) -> Creation:
    """Create one key for one nonce, however often the form arrives.

    The list is read before, so that a key whose answer was lost can be told from those that were
    there. Raises UpstreamError, TooOften, PolicyRefused or CannotReplace when it is certain that
    no key was made.
    """
    if before := created_before(actor, stored, nonce):
        return before
    client = client_for(stored, actor)
    try:
        listed, plan = _checked_wish(actor, client, spec, purpose, replaces)
    except REFUSALS:
        # The first of two submits at once may be what this one was refused for.
        if before := created_before(actor, stored, nonce):
            return before
        raise
    try:
        record = _claim(actor, stored, spec, nonce, purpose, plan)
    except IntegrityError:
        first = KeyCreation.objects.filter(nonce=nonce).first()
        if first is None:
            raise rotations.claim_raced() from None
        return _repeated(actor, stored, first)
    return _sent(actor, stored, record, spec, client, listed)


def _checked_wish(
    actor: Actor, client: EstuaryClient, spec: KeySpec, purpose: str, replaces: Replacement | None
) -> tuple[KeyList, Plan | None]:
    """Look whether the key may be made; returns Estuary's list, and the plan of a rotation."""
    throttles.check(actor, Action.KEY_CREATE_REQUESTED)
    listed = client.list_keys()
    plan = rotations.planned(replaces, listed, timezone.now()) if replaces else None
    replaced = plan.old if plan and plan.is_exchange else None
    check_new_key(actor, spec, purpose, listed, replaced=replaced)
    return listed, plan


def _sent(
    actor: Actor,
    stored: StoredToken,
    record: KeyCreation,
    spec: KeySpec,
    client: EstuaryClient,
    listed: KeyList,
) -> Creation:
    """Ask Estuary for the key; `listed` is what there was before."""
    try:
        created = client.create_key(spec)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            not_created = Conclusion(Outcome.NOT_CREATED, reason=error.code)
            record_conclusion(actor, stored, record, not_created)
            raise
        outcome, token_hash = find_after_lost_answer(client, spec, listed)
        record_conclusion(actor, stored, record, Conclusion(outcome, token_hash, error.code))
        return Creation(record, sentence=error.what)  # the outcome says what it led to
    return _answered(actor, stored, record, created)


def _answered(
    actor: Actor, stored: StoredToken, record: KeyCreation, created: CreatedKey
) -> Creation:
    outcome, doubt = _checked(actor, stored, created)
    reason = "" if outcome is Outcome.CREATED else "not-listed"
    record_conclusion(actor, stored, record, Conclusion(outcome, created.token_hash, reason))
    return Creation(record, created, sentence=doubt)


def created_before(actor: Actor, stored: StoredToken, nonce: str) -> Creation | None:
    """The outcome of an earlier submit of the same form; None when this is the first one."""
    first = _of_nonce.first(nonce, actor.known_member.pk)
    return _repeated(actor, stored, first) if first else None


def _claim(
    actor: Actor, stored: StoredToken, spec: KeySpec, nonce: str, purpose: str, plan: Plan | None
) -> KeyCreation:
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
        if plan:
            rotations.add(actor, stored, record, plan)
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
