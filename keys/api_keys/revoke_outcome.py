"""What became of a revoked key: Estuary's answer and the list after it, judged together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keys.api_keys.key_lists import Snapshot
from keys.upstream import TokenRejected, UpstreamError


class Outcome(StrEnum):
    REVOKED = "revoked"
    GONE = "gone"  # Estuary did not list it any more
    STILL_LISTED = "still-listed"
    UNKNOWN = "unknown"
    FAILED = "failed"  # surely not carried out
    NOT_TRIED = "not-tried"


ENDED = {Outcome.REVOKED, Outcome.GONE}
#: What the client says of each key: sent, not listed any more, failed, or not tried.
Answer = bool | UpstreamError | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """What became of one key."""

    token_hash: str
    outcome: Outcome
    sentence: str = ""  # the trouble on the way, if there was any
    is_disconnected: bool = False  # it was the stored token, which went with it


def judged(
    token_hash: str,
    answer: Answer,
    after: Snapshot | None,
    trouble: UpstreamError | None,
) -> Revocation:
    """What one key's answer and the list taken after it say together."""
    sentence = answer.sentence if isinstance(answer, UpstreamError) else ""
    if answer is None:
        return Revocation(token_hash, Outcome.NOT_TRIED)
    if answer is False:
        return Revocation(token_hash, Outcome.GONE)
    if isinstance(answer, UpstreamError) and not answer.maybe_carried_out:
        return Revocation(token_hash, Outcome.FAILED, sentence)
    if after is None:
        # Our own token, revoked a moment ago and now refused: that is the proof.
        proved = answer is True and isinstance(trouble, TokenRejected)
        outcome = Outcome.REVOKED if proved else Outcome.UNKNOWN
        return Revocation(token_hash, outcome, sentence or (trouble.sentence if trouble else ""))
    if after.find(token_hash):
        # The list was looked at: advice to do so would take the verdict back.
        what = answer.what if isinstance(answer, UpstreamError) else ""
        return Revocation(token_hash, Outcome.STILL_LISTED, what)
    if after.doubt:
        return Revocation(token_hash, Outcome.UNKNOWN, after.doubt)
    return Revocation(token_hash, Outcome.REVOKED)
