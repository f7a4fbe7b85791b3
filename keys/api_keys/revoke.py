"""Revoking keys, honestly: Estuary's 200 proves nothing, so the list is asked again."""

from __future__ import annotations

from dataclasses import replace

from django.utils import timezone

from keys import throttles
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.revoke_outcome import ENDED, Answer, Outcome, Revocation, judged
from keys.api_keys.rows import expired_among
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import StoredToken
from keys.token.stored_tokens import client_for, disconnect_token, forget_list
from keys.upstream import ApiKey, EstuaryClient, UpstreamError

#: Revoked by one press: a page can hold no more, and each of them is a row of the audit.
MOST_AT_ONCE = 500
AUDITED = {
    Outcome.REVOKED: AuditOutcome.DONE,
    Outcome.GONE: AuditOutcome.DONE,
    Outcome.STILL_LISTED: AuditOutcome.FAILED,
    Outcome.UNKNOWN: AuditOutcome.UNKNOWN,
    Outcome.FAILED: AuditOutcome.FAILED,
}


def revoke_key(actor: Actor, stored: StoredToken, token_hash: str) -> Revocation:
    """Revoke one key and find out whether it is gone.

    When it was the member's own stored token, and it is gone, that token is disconnected too.
    Raises UpstreamError or TooOften when surely nothing was done.
    """
    throttles.check(actor, Action.KEY_REVOKED)
    client = client_for(stored, actor)
    _announce(actor, token_hash)
    try:
        answer: Answer = client.revoke_key(token_hash)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            _record(actor, Revocation(token_hash, Outcome.FAILED), error.code)
            raise
        answer = error
    forget_list(stored)
    result = judged(token_hash, answer, *_list_after(client, stored))
    _record(actor, result)
    if token_hash == stored.token_hash and result.outcome in ENDED:
        return replace(result, is_disconnected=disconnect_token(actor, stored))
    return result


def revoke_expired(
    actor: Actor, stored: StoredToken
) -> tuple[list[tuple[ApiKey, Revocation]], int]:
    """Revoke expired keys one after the other, within ESTUARY_TIMEOUT; list once at the end.

    Returns each with what became of it, NOT_TRIED if no time was left, and how many there are
    beyond MOST_AT_ONCE. Raises UpstreamError when the first call already fails, or TooOften, and
    nothing was done.
    """
    throttles.check(actor, Action.KEY_REVOKED)
    client = client_for(stored, actor)
    known = key_lists.last_known(stored) or client.list_keys()
    all_expired = expired_among(known.keys, stored.token_hash, timezone.now())
    expired = all_expired[:MOST_AT_ONCE]
    if not expired:
        return [], 0  # the audit tells of requests, and this asks for nothing
    _announce(actor, count=len(expired))
    answers = dict(client.revoke_keys(key.token_hash for key in expired))
    forget_list(stored)
    after, trouble = _list_after(client, stored)
    after = after and after.only({key.token_hash for key in expired})
    done = []
    for key in expired:
        result = judged(key.token_hash, answers[key.token_hash], after, trouble)
        if result.outcome is not Outcome.NOT_TRIED:
            _record(actor, result)
        done.append((key, result))
    return done, len(all_expired) - len(expired)


def _list_after(
    client: EstuaryClient, stored: StoredToken
) -> tuple[key_lists.Snapshot | None, UpstreamError | None]:
    try:
        return key_lists.remember(stored, client.list_keys()), None
    except UpstreamError as error:
        return None, error


def _announce(actor: Actor, token_hash: str = "", **detail: int) -> None:
    """Before the first call: should we die on the way, the audit still says who began."""
    record_action(
        actor,
        Action.KEY_REVOKE_REQUESTED,
        AuditOutcome.STARTED,
        token_hash=token_hash,
        detail=detail,
    )


def _record(actor: Actor, result: Revocation, reason: str = "") -> None:
    record_action(
        actor,
        Action.KEY_REVOKED,
        AUDITED[result.outcome],
        token_hash=result.token_hash,
        detail={"result": result.outcome} | ({"reason": reason} if reason else {}),
    )
