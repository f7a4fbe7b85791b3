"""The outcome of a revocation: Estuary's answer and the list after it, judged together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keys.api_keys.key_lists import Snapshot
from keys.upstream import TokenRejected, UpstreamError


class Outcome(StrEnum):
    """The judgement about one revocation."""

    REVOKED = "revoked"
    GONE = "gone"  # Estuary did not list it any more
    STILL_LISTED = "still-listed"
    UNKNOWN = "unknown"
    FAILED = "failed"  # certainly not carried out
    NOT_TRIED = "not-tried"


ENDED = {Outcome.REVOKED, Outcome.GONE}
#: What the client returns for each key: sent, not listed any more, failed, or not tried.
Answer = bool | UpstreamError | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """The outcome for one key."""

    token_hash: str
    outcome: Outcome
    sentence: str = ""  # the trouble on the way, if there was any
    is_disconnected: bool = False  # it was the stored token, which is deleted too
    is_held: bool = False  # Estuary listed it to the member, now or before


def judged(
    token_hash: str,
    answer: Answer,
    after: Snapshot | None,
    trouble: UpstreamError | None,
) -> Revocation:
    """Judge one key by its answer and by the list taken afterwards."""
    sentence = answer.sentence if isinstance(answer, UpstreamError) else ""
    if answer is None:
        return Revocation(token_hash, Outcome.NOT_TRIED)
    doubt = after.doubt_about(token_hash) if after else ""
    if answer is False:
        return Revocation(token_hash, Outcome.UNKNOWN if doubt else Outcome.GONE, doubt)
    if isinstance(answer, UpstreamError) and not answer.maybe_carried_out:
        return Revocation(token_hash, Outcome.FAILED, sentence)
    if after is None:
        # Our own token was just revoked, and Estuary now refuses it: that proves it.
        proved = answer is True and isinstance(trouble, TokenRejected)
        outcome = Outcome.REVOKED if proved else Outcome.UNKNOWN
        return Revocation(token_hash, outcome, sentence or (trouble.sentence if trouble else ""))
    if after.find(token_hash):
        # The list has been read, so the advice to read it is left out.
        what = answer.what if isinstance(answer, UpstreamError) else ""
        return Revocation(token_hash, Outcome.STILL_LISTED, what)
    if doubt:
        return Revocation(token_hash, Outcome.UNKNOWN, doubt)
    return Revocation(token_hash, Outcome.REVOKED)
