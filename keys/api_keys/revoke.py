"""Revoking keys: Estuary answers 200 for any key at all, so the list is read again afterwards."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from estuary_admin.storage.connections import write_surely
from keys import throttles
from keys.actors import Actor
from keys.api_keys import key_lists, rotations
from keys.api_keys.revoke_outcome import ENDED, Answer, Outcome, Revocation, judged
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import StoredToken
from keys.notices.telling import tell
from keys.token.stored_tokens import client_for, disconnect_token, forget_list
from keys.upstream import EstuaryClient, KeyList, UpstreamError, fingerprint_of

AUDIT_OUTCOMES = {
    Outcome.REVOKED: AuditOutcome.DONE,
    Outcome.GONE: AuditOutcome.DONE,
    Outcome.STILL_LISTED: AuditOutcome.FAILED,
    Outcome.UNKNOWN: AuditOutcome.UNKNOWN,
    Outcome.FAILED: AuditOutcome.FAILED,
}


def revoke_key(
    actor: Actor, stored: StoredToken, token_hash: str, *, timeout: float | None = None
) -> Revocation:
    """Revoke one key and find out whether it is gone, within `timeout` or ESTUARY_TIMEOUT seconds.

    When it was the member's own stored token, and it is gone, that token is disconnected too.
    Raises UpstreamError or TooOften when it is certain that nothing was done.
    """
    throttles.check(actor, Action.KEY_REVOKED)
    client = client_for(stored, actor, timeout=timeout)
    is_held = _was_held(stored, token_hash)

    def begin(listed: KeyList) -> None:
        nonlocal is_held
        is_held = is_held or listed.find(token_hash) is not None
        _record_start(actor, token_hash, is_held=is_held)

    try:
        answer: Answer = client.revoke_key(token_hash, begin)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            failed = Revocation(token_hash, Outcome.FAILED, is_held=is_held)
            _record(actor, failed, error.code)
            raise
        answer = error
    write_surely(lambda: forget_list(stored), "key_list_not_forgotten")
    result = replace(judged(token_hash, answer, *_list_after(client, stored)), is_held=is_held)
    write_surely(lambda: _record_one(actor, stored, result), "key_revocation_not_recorded")
    if token_hash == stored.token_hash and result.outcome in ENDED:
        return replace(result, is_disconnected=disconnect_token(actor, stored))
    return result


def _was_held(stored: StoredToken, token_hash: str) -> bool:
    """Whether it is the member's own token, or Estuary listed it to the member a moment ago."""
    known = key_lists.last_known(stored)
    return token_hash == stored.token_hash or bool(known and known.find(token_hash))


def _list_after(
    client: EstuaryClient, stored: StoredToken
) -> tuple[key_lists.Snapshot | None, UpstreamError | None]:
    try:
        return key_lists.remember(stored, client.list_keys()), None
    except UpstreamError as error:
        return None, error


def _record_start(actor: Actor, token_hash: str, *, is_held: bool) -> None:
    """Before anything is sent: if this process dies, the audit still says who began."""
    subject, facts = _subject(token_hash, is_held=is_held)
    record_action(
        actor,
        Action.KEY_REVOKE_REQUESTED,
        AuditOutcome.STARTED,
        token_hash=subject,
        detail=facts,
    )


def _record_one(actor: Actor, stored: StoredToken, result: Revocation) -> None:
    with transaction.atomic():
        _record(actor, result)
        if result.outcome is Outcome.REVOKED:
            tell(actor, stored.member, "key.revoked", fingerprint_of(result.token_hash))


def _record(actor: Actor, result: Revocation, reason: str = "") -> None:
    subject, facts = _subject(result.token_hash, is_held=result.is_held)
    record_action(
        actor,
        Action.KEY_REVOKED,
        AUDIT_OUTCOMES[result.outcome],
        token_hash=subject,
        detail={"result": result.outcome} | ({"reason": reason} if reason else {}) | facts,
    )
    # Not when it was gone already: it may be the key of another account.
    if result.outcome is Outcome.REVOKED:
        rotations.old_keys_ended([result.token_hash])


def _subject(token_hash: str, *, is_held: bool) -> tuple[str, dict[str, str]]:
    """The key that an audit row names.

    A hash that Estuary does not list to this member may be the key of somebody else: the row must
    not enter that key's history.
    """
    return (token_hash, {}) if is_held else ("", {"asked_for": fingerprint_of(token_hash)})
