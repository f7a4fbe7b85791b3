"""Revoking keys, honestly: Estuary's 200 proves nothing, so the list is asked again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keys.actors import Actor
from keys.models import StoredToken
from keys.services import audit, key_lists
from keys.services.audit import Action
from keys.services.stored_tokens import client_for, disconnect_token, forget_list
from keys.upstream import ApiKey, EstuaryClient, KeyList, TokenRejected, UpstreamError


class Outcome(StrEnum):
    REVOKED = "revoked"
    GONE = "gone"  # Estuary did not list it any more
    STILL_LISTED = "still-listed"
    UNKNOWN = "unknown"
    FAILED = "failed"  # surely not carried out
    NOT_TRIED = "not-tried"


AUDITED = {
    Outcome.REVOKED: audit.Outcome.DONE,
    Outcome.GONE: audit.Outcome.DONE,
    Outcome.STILL_LISTED: audit.Outcome.FAILED,
    Outcome.UNKNOWN: audit.Outcome.UNKNOWN,
    Outcome.FAILED: audit.Outcome.FAILED,
}


#: What the client says of each key: sent, not listed any more, failed, or not tried.
Answer = bool | UpstreamError | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """What became of one key."""

    token_hash: str
    outcome: Outcome
    sentence: str = ""  # the trouble on the way, if there was any


def revoke_key(actor: Actor, stored: StoredToken, token_hash: str) -> Revocation:
    """Revoke one key and find out whether it is gone.

    When it was the member's own stored token, and it is gone, that token is disconnected too.
    Raises UpstreamError when surely nothing was done.
    """
    client = client_for(stored, actor)
    trouble: UpstreamError | None = None
    try:
        sent = client.revoke_key(token_hash)
    except UpstreamError as error:
        if not error.maybe_carried_out:
            audit.record(
                actor,
                Action.KEY_REVOKED,
                audit.Outcome.FAILED,
                token_hash=token_hash,
                detail={"reason": error.code},
            )
            raise
        trouble, sent = error, True
    forget_list(stored)
    verdict = _verdict(client, stored, token_hash, trouble) if sent else Outcome.GONE
    result = Revocation(token_hash, verdict, trouble.sentence if trouble else "")
    _record(actor, result)
    if token_hash == stored.token_hash and verdict in {Outcome.REVOKED, Outcome.GONE}:
        disconnect_token(actor)
    return result


def revoke_keys(actor: Actor, stored: StoredToken, keys: list[ApiKey]) -> list[Revocation]:
    """Revoke several keys one after the other, within ESTUARY_TIMEOUT; list once at the end.

    Keys for which no time was left come back as NOT_TRIED. Raises UpstreamError when the first
    call already fails, and nothing was done.
    """
    client = client_for(stored, actor)
    sent = list(client.revoke_keys(key.token_hash for key in keys))
    forget_list(stored)
    try:
        after: KeyList | None = client.list_keys()
    except UpstreamError:
        after = None
    results = [_result(token_hash, answer, after) for token_hash, answer in sent]
    for result in results:
        if result.outcome is not Outcome.NOT_TRIED:
            _record(actor, result)
    return results


def _result(token_hash: str, answer: Answer, after: KeyList | None) -> Revocation:
    sentence = answer.sentence if isinstance(answer, UpstreamError) else ""
    if answer is None:
        return Revocation(token_hash, Outcome.NOT_TRIED)
    if answer is False:
        return Revocation(token_hash, Outcome.GONE)
    if isinstance(answer, UpstreamError) and not answer.maybe_carried_out:
        return Revocation(token_hash, Outcome.FAILED, sentence)
    if after is None:
        return Revocation(token_hash, Outcome.UNKNOWN, sentence)
    listed = after.find(token_hash) is not None
    return Revocation(token_hash, Outcome.STILL_LISTED if listed else Outcome.REVOKED, sentence)


def _verdict(
    client: EstuaryClient, stored: StoredToken, token_hash: str, trouble: UpstreamError | None
) -> Outcome:
    try:
        after = key_lists.remember(stored, client.list_keys())
    except TokenRejected:
        # Our own token, revoked a moment ago, is refused: that is the proof.
        own = token_hash == stored.token_hash and trouble is None
        return Outcome.REVOKED if own else Outcome.UNKNOWN
    except UpstreamError:
        return Outcome.UNKNOWN
    return Outcome.STILL_LISTED if after.find(token_hash) else Outcome.REVOKED


def _record(actor: Actor, result: Revocation) -> None:
    audit.record(
        actor,
        Action.KEY_REVOKED,
        AUDITED[result.outcome],
        token_hash=result.token_hash,
        detail={"result": result.outcome},
    )
