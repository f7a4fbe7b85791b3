"""Writing the audit: one row for each act, done or refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from keys.actors import Actor
from keys.audit import chain, stream
from keys.audit.vocabulary import Outcome, default_outcome
from keys.models import AuditEntry
from keys.upstream.redaction import redact_label


def record_action(
    actor: Actor,
    action: str,
    outcome: Outcome | None = None,
    *,
    token_hash: str = "",
    on_behalf_of: User | None = None,
    detail: Mapping[str, str | int] | None = None,
) -> AuditEntry:
    """Write one row; without `outcome`, the action itself says whether it is a refusal.

    `action` is an `Action`, or the code of an event that the vocabulary lacks, which is kept as
    it is. `detail` takes small facts (an error's code, bytes, a SHA-256): never a token, never
    what Estuary answered. `on_behalf_of` is the member whose token was used, if it is not the
    actor's.
    """
    acting = None if actor.job else actor.member
    served = on_behalf_of or actor.served or (actor.member if actor.job else None)
    reason = {"given_reason": actor.given_reason} if actor.given_reason else {}
    entry = AuditEntry(
        action=str(action),
        outcome=outcome or default_outcome(action),
        actor=acting,
        actor_name=acting.get_username() if acting else "",
        job=actor.job,
        on_behalf_of=served,
        on_behalf_of_name=served.get_username() if served else "",
        token_hash=token_hash,
        address=actor.address,
        request_id=actor.request_id,
        detail={name: _without_token(fact) for name, fact in (dict(detail or {}) | reason).items()},
    )
    chain.append(entry)
    transaction.on_commit(partial(stream.send, entry))
    return entry


def _without_token(fact: str | int) -> str | int:
    """Rows are written once: a token in a reason or a filter could never be taken out again."""
    return redact_label(fact) if isinstance(fact, str) else fact
